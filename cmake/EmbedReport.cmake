# Makes host/report/, the page of `lookalike report`, a C++ source: LOOKALIKE_REPORT_SOURCE.
#
# page.html names its style, its script and their hashes as @NAME@; the data come where it says @DATA@. Run as a
# script (cmake -DOUTPUT=... -P), this file writes that source; included, it adds the rule that does.

set(report_folder ${CMAKE_CURRENT_LIST_DIR}/../host/report)
# In this order they are one script.
set(report_scripts data.js view.js gallery.js item.js training.js reconstructions.js page.js)

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(LOOKALIKE_REPORT_SOURCE ${CMAKE_BINARY_DIR}/report_parts.cpp)
  list(TRANSFORM report_scripts PREPEND ${report_folder}/ OUTPUT_VARIABLE report_files)
  add_custom_command(
    OUTPUT ${LOOKALIKE_REPORT_SOURCE}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${LOOKALIKE_REPORT_SOURCE} -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS ${CMAKE_CURRENT_LIST_FILE} ${report_folder}/page.html ${report_folder}/page.css ${report_files}
    VERBATIM)
  return()
endif()

# SHA-256 of text in base64, as a content security policy writes it.
function(policy_hash text result)
  string(SHA256 hex "${text}")
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(base64 "")
  string(APPEND hex 00)  # 33 bytes: eleven groups of three, 44 digits of which the last is padding
  foreach(group RANGE 10)
    math(EXPR start "${group} * 6")
    string(SUBSTRING ${hex} ${start} 6 bytes)
    foreach(shift 18 12 6 0)
      math(EXPR digit "(0x${bytes} >> ${shift}) & 63")
      string(SUBSTRING ${digits} ${digit} 1 letter)
      string(APPEND base64 ${letter})
    endforeach()
  endforeach()
  string(SUBSTRING ${base64} 0 43 base64)
  set(${result} "sha256-${base64}=" PARENT_SCOPE)
endfunction()

file(READ ${report_folder}/page.html page)
file(READ ${report_folder}/page.css style)
set(script "")
foreach(name ${report_scripts})
  file(READ ${report_folder}/${name} text)
  string(APPEND script "${text}\n")
endforeach()
# Indented like the page, and one strict scope.
set(style "\n${style}")
set(script "\n'use strict';\n(() => {\n${script}})();\n")
policy_hash("${style}" style_hash)
policy_hash("${script}" script_hash)
string(REPLACE "@STYLE_HASH@" "${style_hash}" page "${page}")
string(REPLACE "@SCRIPT_HASH@" "${script_hash}" page "${page}")
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")

string(FIND "${page}" "@DATA@" split)
string(SUBSTRING "${page}" 0 ${split} head)
math(EXPR split "${split} + 6")
string(SUBSTRING "${page}" ${split} -1 tail)
file(WRITE ${OUTPUT} "// Made by cmake/EmbedReport.cmake.
#include \"host/report_page.h\"

namespace lookalike {

const std::string_view kReportHead = R\"page(${head})page\";
const std::string_view kReportTail = R\"page(${tail})page\";

}  // namespace lookalike
")
