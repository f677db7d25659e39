# Three modules only: highgui and videoio would drag a window system and codecs into the host's process.
function(kandinsky_opencv_system out)
  find_package(OpenCV 4.5 QUIET COMPONENTS core imgproc imgcodecs)
  if(OpenCV_FOUND)
    add_library(kandinsky_opencv INTERFACE)
    target_include_directories(kandinsky_opencv SYSTEM INTERFACE ${OpenCV_INCLUDE_DIRS})
    target_link_libraries(kandinsky_opencv INTERFACE opencv_core opencv_imgproc opencv_imgcodecs)
    set(${out} "${OpenCV_VERSION} in ${OpenCV_DIR}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_opencv_fetch)
  set(BUILD_LIST core,imgproc,imgcodecs)
  foreach(name BUILD_TESTS BUILD_PERF_TESTS BUILD_EXAMPLES BUILD_opencv_apps BUILD_JAVA
          BUILD_opencv_python3 BUILD_opencv_java WITH_IPP WITH_ITT WITH_OPENCL WITH_CUDA WITH_FFMPEG
          WITH_GSTREAMER WITH_GTK WITH_V4L WITH_TIFF WITH_OPENEXR WITH_JASPER WITH_OPENJPEG WITH_LAPACK
          WITH_EIGEN WITH_PROTOBUF WITH_ADE WITH_QUIRC WITH_GDAL WITH_GDCM)
    set(${name} OFF)
  endforeach()
  foreach(name BUILD_ZLIB BUILD_PNG BUILD_JPEG BUILD_WEBP WITH_PNG WITH_JPEG WITH_WEBP)
    set(${name} ON)
  endforeach()
  # The archive of that commit's tag: a clone of the repository would be more than a gigabyte.
  FetchContent_Declare(kandinsky_opencv SYSTEM
    URL https://github.com/opencv/opencv/archive/refs/tags/4.10.0.tar.gz
    URL_HASH SHA256=b2171af5be6b26f7a06b1229948bbb2bdaa74fcf5cd097e0af6378fce50a6eb9
    DOWNLOAD_EXTRACT_TIMESTAMP TRUE)
  FetchContent_MakeAvailable(kandinsky_opencv)
  add_library(kandinsky_opencv INTERFACE)
  target_include_directories(kandinsky_opencv SYSTEM INTERFACE
    ${CMAKE_BINARY_DIR} ${kandinsky_opencv_BINARY_DIR} ${kandinsky_opencv_SOURCE_DIR}/include)
  foreach(module core imgproc imgcodecs)
    target_include_directories(kandinsky_opencv SYSTEM INTERFACE
      ${kandinsky_opencv_SOURCE_DIR}/modules/${module}/include)
    target_link_libraries(kandinsky_opencv INTERFACE opencv_${module})
  endforeach()
endfunction()

kandinsky_dependency(opencv
  VERSION 4.10.0 COMMIT 71d3237a093b60a27601c20e9ee6c3e52154e8b1
  SYSTEM kandinsky_opencv_system FETCH kandinsky_opencv_fetch DEBIAN libopencv-dev)
