#!/bin/sh
# Runs a compiler command and keeps what ptxas says of registers, shared memory and spills beside the object, as
# OBJECT.resources; everything else that the compiler says goes on to the terminal.
#
#   keep_kernel_resources.sh nvcc ... -o OBJECT ...
object=
previous=
for argument in "$@"; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
if [ -z "$object" ]; then
  exec "$@"
fi
messages=$object.messages
"$@" 2>"$messages"
status=$?
# ptxas speaks in pairs of lines: the second of "Function properties" has no prefix.
about_kernels='ptxas info|bytes stack frame'
grep -E "$about_kernels" "$messages" >"$object.resources"
grep -vE "$about_kernels" "$messages" >&2
rm -f "$messages"
exit $status
