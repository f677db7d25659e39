# What `cmake --install` puts in place for C and C++ programs: headers, the library, and how pkg-config and CMake find both.
# LibTorch is not installed: a program links the one that the library was built for, or names another folder.
include(GNUInstallDirs)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kandinsky)

file(GLOB public_headers CONFIGURE_DEPENDS include/*.h include/*.hpp)
install(FILES ${public_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS kandinsky EXPORT kandinsky LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT kandinsky NAMESPACE kandinsky:: FILE kandinskyTargets.cmake DESTINATION ${package_dir})

include(CMakePackageConfigHelpers)
configure_file(kandinskyConfig.cmake.in ${PROJECT_BINARY_DIR}/kandinskyConfig.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kandinskyConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kandinskyConfig.cmake ${PROJECT_BINARY_DIR}/kandinskyConfigVersion.cmake
  DESTINATION ${package_dir})

# Relative, so that the tree can be moved.
file(RELATIVE_PATH up_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(kandinsky.pc.in ${PROJECT_BINARY_DIR}/kandinsky.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/kandinsky.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
