// Which rows a query may get.
#pragma once

#include <cstdint>

namespace lookalike::cuda {

// Device memory.
struct RowChoice {
  const std::uint8_t* allowed = nullptr;     // (M), zero leaves the row out; null: all
  const std::int32_t* row_groups = nullptr;  // (M) and (Q): a query gets no row of its own group, -1 is none;
  const std::int32_t* query_groups = nullptr;  // both null: there are no groups

  // Less the rows before `row`.
  RowChoice from(std::int64_t row) const {
    return {allowed != nullptr ? allowed + row : nullptr, row_groups != nullptr ? row_groups + row : nullptr,
            query_groups};
  }
};

}  // namespace lookalike::cuda
