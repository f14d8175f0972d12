# OpenCV's core, imgproc and imgcodecs as imported targets opencv_core, opencv_imgproc, opencv_imgcodecs.
# Debian ships OpenCV's own CMake files only with libopencv-dev, which brings every module and some 200 packages.
find_path(OpenCV_INCLUDE_DIR opencv2/imgcodecs.hpp PATH_SUFFIXES opencv4)
find_path(OpenCV_MODULES_DIR opencv2/opencv_modules.hpp PATH_SUFFIXES opencv4)
set(OpenCV_LIBRARY_VARIABLES "")
foreach(module IN LISTS OpenCV_FIND_COMPONENTS)
  find_library(OpenCV_${module}_LIBRARY opencv_${module})
  list(APPEND OpenCV_LIBRARY_VARIABLES OpenCV_${module}_LIBRARY)
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCV REQUIRED_VARS OpenCV_INCLUDE_DIR OpenCV_MODULES_DIR
                                  ${OpenCV_LIBRARY_VARIABLES})

if(OpenCV_FOUND)
  foreach(module IN LISTS OpenCV_FIND_COMPONENTS)
    if(NOT TARGET opencv_${module})
      add_library(opencv_${module} UNKNOWN IMPORTED)
      set_target_properties(opencv_${module} PROPERTIES
        IMPORTED_LOCATION "${OpenCV_${module}_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${OpenCV_INCLUDE_DIR};${OpenCV_MODULES_DIR}")
    endif()
  endforeach()
endif()
mark_as_advanced(OpenCV_INCLUDE_DIR OpenCV_MODULES_DIR ${OpenCV_LIBRARY_VARIABLES})
