/** Limits of the PCnet adapter, with unit and reason. */

/** Bytes of the shortest frame on Ethernet without frame check sequence; shorter ones from the network are padded to it. */
export const MIN_WIRE_BYTES = 60;
/** Bytes of an Ethernet header: the network takes no frame without one. */
export const HEADER_BYTES = 14;
/** Bytes of the frame check sequence. */
export const FCS_BYTES = 4;
/** Longest frame sent to the network, bytes without frame check sequence: 1500 of data, header and a VLAN tag. */
export const MAX_SENT_BYTES = 1518;
/** Bytes with frame check sequence above which the chip reports a babbling transmitter (CSR0, BABL). */
export const BABBLE_BYTES = 1518;
/** Bytes with frame check sequence that the message byte count of a receive descriptor can say: 12 bits. */
export const MAX_RECEIVED_BYTES = 4095;

/** Descriptors of one sent frame: the longest ring an initialization block can give. */
export const MAX_CHAIN_DESCRIPTORS = 512;
/** Transmit descriptors handled in one go, before the guest runs on: as many. */
export const MAX_RUN_DESCRIPTORS = 512;
/** What the guest gets to run before the rest of them, nanoseconds. */
export const RUN_PAUSE_NS = 20_000;

/** One tick of the transmit polling interval (CSR47): the PCI clock, 33 MHz. */
export const POLL_TICK_NS = 30;
/** Shortest time between two polls of the transmit ring, nanoseconds: each one interrupts the guest. */
export const MIN_POLL_NS = 500_000;
/** Polls in vain after which the interval grows no more: 32 times, 63 ms by default. */
export const POLL_DOUBLINGS = 5;
/** Polls in vain after which a driver that demands transmission (TDMD) is believed to do so for each frame. */
export const DEMAND_POLLS = 3;

/** Time between two looks at a full receive ring while a frame waits, nanoseconds: about the chip's own. */
export const RECEIVE_POLL_NS = 1_500_000;
/** Longest a frame waits for room before it counts as missed, nanoseconds: beyond it, senders have given up. */
export const RECEIVE_HOLD_NS = 50_000_000;

/** Tick of the software timer (BCR31), nanoseconds. */
export const SOFTWARE_TIMER_TICK_NS = 12_800;
/** Shortest time between two interrupts of the software timer, nanoseconds. */
export const MIN_SOFTWARE_TIMER_NS = 100_000;
