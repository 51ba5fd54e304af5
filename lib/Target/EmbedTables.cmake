# Writes OUT, the initializers of an array of the name and the text of TABLES.
set(text "")
foreach(table IN LISTS TABLES)
  get_filename_component(name ${table} NAME_WE)
  file(READ ${table} yaml)
  string(APPEND text "{\"${name}\", R\"yaml(${yaml})yaml\"},\n")
endforeach()
file(WRITE ${OUT} "${text}")
