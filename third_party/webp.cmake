# libwebpdemux reads animations and the chunks beside the image. libsharpyuv is a file of its own from 1.3 on.
function(kandinsky_webp_system out)
  kandinsky_static_archives(found webp HEADER webp/demux.h ARCHIVES webpdemux webp OPTIONAL sharpyuv)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_webp_fetch)
  FetchContent_Declare(kandinsky_webp SOURCE_SUBDIR none
    GIT_REPOSITORY https://github.com/webmproject/libwebp.git GIT_TAG ${commit})
  set(options "")
  foreach(part ANIM_UTILS CWEBP DWEBP GIF2WEBP IMG2WEBP VWEBP WEBPINFO WEBPMUX EXTRAS)
    list(APPEND options -DWEBP_BUILD_${part}=OFF)
  endforeach()
  kandinsky_external(webp ARCHIVES webpdemux webp sharpyuv OPTIONS ${options})
endfunction()

kandinsky_dependency(webp
  VERSION 1.4.0 COMMIT 845d5476a866141ba35ac133f856fa62f0b7445f
  SYSTEM kandinsky_webp_system FETCH kandinsky_webp_fetch DEBIAN libwebp-dev)
