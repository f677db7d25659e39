function(kandinsky_png_system out)
  kandinsky_static_archives(found png HEADER png.h ARCHIVES png16 LINK kandinsky_zlib)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_png_fetch)
  FetchContent_Declare(kandinsky_png SOURCE_SUBDIR none
    GIT_REPOSITORY https://github.com/pnggroup/libpng.git GIT_TAG ${commit})
  kandinsky_external(png ARCHIVES png16 LINK kandinsky_zlib
    OPTIONS -DPNG_SHARED=OFF -DPNG_TESTS=OFF -DPNG_TOOLS=OFF)
endfunction()

kandinsky_dependency(png
  VERSION 1.6.44 COMMIT f5e92d76973a7a53f517579bc95d61483bf108c0
  SYSTEM kandinsky_png_system FETCH kandinsky_png_fetch DEBIAN libpng-dev)
