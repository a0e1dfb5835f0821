export { type GuestImages, ensureGuestImages } from './guest-images';
export { type InitramfsFile, type InitramfsOptions, buildInitramfs } from './initramfs';
export { INIT_STARTED, RUN_ENDED, RUN_PARAMETER, RUN_STARTED, runParameter } from './init-script';
export { type CpioEntry, writeCpio } from './cpio';
export { ImageError } from './run-tool';
export { type DebianDisk, ensureDebianDisk } from './debian-disk';
export { exportDisk } from './export-disk';
