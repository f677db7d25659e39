function(kandinsky_jpeg_system out)
  kandinsky_static_archives(found jpeg HEADER jpeglib.h ARCHIVES jpeg)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_jpeg_fetch)
  FetchContent_Declare(kandinsky_jpeg SOURCE_SUBDIR none
    GIT_REPOSITORY https://github.com/libjpeg-turbo/libjpeg-turbo.git GIT_TAG ${commit})
  kandinsky_external(jpeg ARCHIVES jpeg OPTIONS -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF)
endfunction()

kandinsky_dependency(jpeg
  VERSION 3.0.4 COMMIT f29eda648547b36aa594c4116c7764a6c8a079b9
  SYSTEM kandinsky_jpeg_system FETCH kandinsky_jpeg_fetch DEBIAN libjpeg-dev)
