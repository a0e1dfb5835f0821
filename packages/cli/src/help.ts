const text = `Usage:
  godwit run --kernel K --initrd I --append 'console=ttyS0' --memory 512M
  godwit migrate --control SOCKET --ticket FILE
  godwit up

Commands:
  run    one VM in the foreground, its serial port on the terminal (Ctrl-] leaves)
  migrate    moves a VM of run --control to a process of run --incoming
  vmm    CONFIG.json: one VM of a datastore as a process of its own, for agents
  datastore  init WHERE | show WHERE: a folder or nfs://SERVER/EXPORT for VMs
  state  show FILE: checks a saved VM and says what it is
  up     fetch a Debian kernel, boot it to a shell on this terminal
  help   this text

Options of migrate:
  --max-pause 50ms    how long the VM may stand still
  --bandwidth 100M    bytes a second before the pause (default: unlimited)
  --policy LIST       throttle,extend,force,abort: when the guest writes faster than is sent
  --json              the migration's record on standard output

Options of run:
  --kernel FILE       a Linux bzImage (required)
  --initrd FILE       initial ramdisk
  --append TEXT       kernel command line (default: console=ttyS0)
  --memory SIZE       16M to 3G (default: 256M)
  --cpu SPEC          host | MODEL [,-feature] [,+feature] (default: host)
  --disk FILE[,adapter=virtio|ide][,format=raw|qcow2][,readonly]
  --cdrom FILE        an ISO image
  --net user[,forward=tcp::8080-80] | tap,name=T | bridge,name=B | socket,path=P
                      each with [,adapter=virtio|pcnet][,mac=M]
  --vm DATASTORE/NAME hold the lease of that VM; --disk store:FILE lies in its folder
  --control SOCKET    serve the VM on that socket (service Vmm): pause, suspend, migrate
  --incoming TICKET   wait for the VM to come; what brings it is written to TICKET
  --listen HOST:PORT  where other hosts reach this process (default: 127.0.0.1, any port)
  --tls FOLDER        cert.pem, key.pem, ca.pem: needed for any other address
  --suspend-to FILE   leaving saves the VM there
  --resume-from FILE  goes on where a VM was saved
  --no-reboot         a reset by the guest ends the VM
  --engine KIND       translate | interpret (default: translate)
  --trace KINDS       interpret,halt,exits: events on standard error
  --stats FILE        the engine's counters as JSON at the end; - for standard output

Exit codes: 0 the guest powered off or was stopped, 1 it failed (triple fault),
2 wrong usage, 3 a file was not found, 4 this host or image cannot be used,
5 nobody answers, 6 denied, 7 the migration failed and the VM runs on where it was,
8 the outcome is not known.
`;

export async function help(_argv: string[]): Promise<number> {
  process.stdout.write(text);
  return 0;
}
