# Proves that a fault which nobody can take ends the VM as a triple fault.
#: end "triple-fault"
.include "prelude.inc"
test_main:
    SAY "before"
    call newline
#= before
    lidt [nothing]
    ud2
    SAY "after"
    ret
nothing: .word 0
    .long 0
