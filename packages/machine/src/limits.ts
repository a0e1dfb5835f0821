/** Every limit of the machine, with its unit and its reason. */

/** Smallest memory a machine is built with: a current kernel plus a small initrd needs about this. */
export const MIN_MEMORY_BYTES = 16 * 1024 * 1024;
/** Largest memory: above it lie the PCI window and the firmware area of a 32-bit PC. */
export const MAX_MEMORY_BYTES = 3 * 1024 * 1024 * 1024;
/** RAM is handed out in whole pages of this size. */
export const PAGE_BYTES = 4096;

/** Bytes a UART holds for the guest beyond its FIFO before `serialInput` refuses: one N_TTY buffer. */
export const UART_INPUT_QUEUE_BYTES = 4096;
/** Bytes the keyboard holds for the controller: an AT keyboard has 16; pasted text needs more. */
export const KEYBOARD_QUEUE_BYTES = 256;
/** Replies the keyboard controller may owe at one time; no command sequence makes more than 4. */
export const CONTROLLER_QUEUE_BYTES = 16;

/**
 * A periodic PIT never asks to be woken sooner than this, whatever rate the
 * guest programs: ticks in between coalesce. 20 kHz is beyond every guest that
 * works on real hardware.
 */
export const PIT_MIN_PERIODIC_WAIT_NS = 50_000;
/** The same for the local APIC's timer in periodic mode. */
export const APIC_TIMER_MIN_WAIT_NS = 50_000;
/** How long after a TSC deadline that the TSC has not quite reached the timer looks again: the two clocks are read a moment apart. */
export const APIC_TIMER_RETRY_NS = 500;
/** A TSC deadline further off than this is looked at anew by then: one day, well within what a host timer takes. */
export const APIC_TIMER_LONGEST_WAIT_NS = 86_400e9;
/** The RTC checks at most this many missed seconds for an alarm: one day, after which every alarm has matched. */
export const RTC_MAX_CATCH_UP_SECONDS = 86_400;
/** Bytes of 0xE9 debug text kept for inspection. */
export const DEBUG_TEXT_BYTES = 4096;
/** Longest kernel command line accepted when the kernel does not say (boot protocol before 2.06). */
export const DEFAULT_COMMAND_LINE_BYTES = 255;
