/** Registers and their bits by the names of the Am79C970A and Am79C973 data sheets. */

/** Controller status, CSR0. */
export const Csr0 = {
  err: 0x8000,
  babl: 0x4000,
  cerr: 0x2000,
  miss: 0x1000,
  merr: 0x0800,
  rint: 0x0400,
  tint: 0x0200,
  idon: 0x0100,
  intr: 0x0080,
  iena: 0x0040,
  rxon: 0x0020,
  txon: 0x0010,
  tdmd: 0x0008,
  stop: 0x0004,
  strt: 0x0002,
  init: 0x0001,
} as const;
/** Written as 1 to clear. */
export const CSR0_EVENTS = Csr0.babl | Csr0.cerr | Csr0.miss | Csr0.merr | Csr0.rint | Csr0.tint | Csr0.idon;
/** Those that interrupt; each has its mask at the same place in CSR3. */
export const CSR0_INTERRUPTS = CSR0_EVENTS & ~Csr0.cerr;
/** The sum of these is ERR. */
export const CSR0_ERRORS = Csr0.babl | Csr0.cerr | Csr0.miss | Csr0.merr;

/** Interrupt masks and deferral, CSR3. */
export const Csr3 = { dxsuflo: 0x0040, lappen: 0x0020 } as const;
export const CSR3_WRITABLE = 0x5f7c;

/** Test and features, CSR4: each event stands above its mask. */
export const Csr4 = {
  txdpoll: 0x1000,
  apadXmt: 0x0800,
  astrpRcv: 0x0400,
  mfco: 0x0200,
  uintcmd: 0x0080,
  uint: 0x0040,
  txstrt: 0x0008,
} as const;
export const CSR4_EVENTS = 0x026a;
export const CSR4_MASKS = 0x0115;
export const CSR4_POWER_ON = CSR4_MASKS;

/** Extended control, CSR5: each event stands above its enable bit. */
export const Csr5 = { tokintd: 0x8000, ltinten: 0x4000, sint: 0x0800, sinte: 0x0400, spnd: 0x0001 } as const;
export const CSR5_EVENTS = 0x0a90;
export const CSR5_ENABLES = 0x0548;
export const CSR5_WRITABLE = 0xc56f;

/** Extended control 2, CSR7 of the Am79C973: as CSR5. */
export const Csr7 = { stint: 0x0800, stinte: 0x0400, mreint: 0x0200, mccint: 0x0020 } as const;
export const CSR7_EVENTS = 0x0aaa;
export const CSR7_ENABLES = 0x0555;
export const CSR7_WRITABLE = 0xd555;

/** Mode, CSR15. */
export const Mode = {
  prom: 0x8000,
  drcvbc: 0x4000,
  drcvpa: 0x2000,
  intl: 0x0040,
  dxmtfcs: 0x0008,
  loop: 0x0004,
  dtx: 0x0002,
  drx: 0x0001,
} as const;

/** Control and status registers by number; pairs are low and high word. */
export const Csr = {
  status: 0,
  initAddress: 1,
  masks: 3,
  features: 4,
  control: 5,
  lengths: 6,
  control2: 7,
  logicalFilter: 8,
  physicalAddress: 12,
  mode: 15,
  initAddressAlias: 16,
  receiveBase: 24,
  nextReceive: 26,
  currentReceive: 28,
  transmitBase: 30,
  nextTransmit: 32,
  currentTransmit: 34,
  pollInterval: 47,
  style: 58,
  receiveCounter: 72,
  transmitCounter: 74,
  receiveLength: 76,
  transmitLength: 78,
  thresholds: 80,
  chipId: 88,
  busTimeout: 100,
  missedFrames: 112,
  receiveCollisions: 114,
  test: 124,
} as const;
export const CSR_COUNT = 128;

/** Bus configuration registers by number. */
export const Bcr = {
  masterRead: 0,
  masterWrite: 1,
  misc: 2,
  link: 4,
  led1: 5,
  led2: 6,
  led3: 7,
  fullDuplex: 9,
  busSize: 18,
  eeprom: 19,
  style: 20,
  latency: 22,
  subsystemVendor: 23,
  subsystem: 24,
  softwareTimer: 31,
  miiControl: 32,
  miiAddress: 33,
  miiData: 34,
  vendor: 35,
} as const;
export const BCR_COUNT = 36;

export const BCR2_APROMWE = 0x0100;
export const BCR18_DWIO = 0x0080;
/** Software style, BCR20: 0 is LANCE, 1 ILACC, 2 PCnet-PCI, 3 PCnet-PCI II. */
export const Style = { csrPcnet: 0x0200, ssize32: 0x0100, number: 0x00ff } as const;

/** The status word of a descriptor; those from `err` down to `buff` are named for receive and transmit. */
export const Status = { own: 0x8000, err: 0x4000, stp: 0x0200, enp: 0x0100 } as const;
export const ReceiveStatus = { oflo: 0x1000, crc: 0x0800, buff: 0x0400, pam: 0x0040, lafm: 0x0020, bam: 0x0010 } as const;
export const TransmitStatus = { addFcs: 0x2000, ltint: 0x1000, one: 0x0800, def: 0x0400 } as const;
/** The error word of a transmit descriptor. */
export const TransmitError = { buff: 0x8000, uflo: 0x4000, lcar: 0x0800 } as const;
