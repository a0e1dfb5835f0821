/** Help of the commands that read their own command line; the others' is made from cluster/table.ts. */
import type { Other } from './cluster/help/help';

const RUN = `One VM in the foreground, its serial port on the terminal. Ctrl-] leaves.

  godwit run --kernel K --initrd I --append 'console=ttyS0' --memory 512M
  godwit run --resume-from web.state

Usage: godwit run [OPTION...]

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
`;

const UP = `A cluster to try, on this machine and without privilege: a controller, hosts and Linux guests, each a process.
It stays until Ctrl-C, and then nothing of it is left. npm run up -- OPTIONS builds first.

  godwit up                                      two hosts and one guest, web1
  godwit up --hosts 4 --vms 6 --memory 256M
  godwit up --nfs                                the disks on a real NFS server (needs root and nfs-ganesha)

Usage: godwit up [OPTION...]

  --hosts NUMBER      1 to 16 (default: 2)
  --vms NUMBER        0 to 64 (default: 1): web1, web2 and so on
  --memory SIZE       of each guest, 64M to 3G (default: 128M)
  --nfs               the datastore on an NFS server instead of a folder that the hosts share
  --port PORT         of the controller (default: 7443, or the next that is free)
  --http-port PORT    of the dashboard (default: 7480, or the next)
  --guest-port PORT   of the first guest's page (default: 8080, or the next); the others follow
  --home FOLDER       disks, logs, context (default: .cache/up of the checkout, where godwit finds the context)
`;

const CONTROLLER = `A controller in the foreground, as systemd runs it.

  godwit cluster init --advertise ctl-1:7443     writes CONFIG.json
  godwit controller CONFIG.json

Usage: godwit controller CONFIG.json
`;

const AGENT = `This host's agent in the foreground, as systemd runs it. Its VMs outlive it.

  godwit host add NAME                           where the controller is: the token
  godwit agent /etc/godwit/agent.json

Usage: godwit agent CONFIG.json
`;

const VMM = `One VM of a datastore as a process of its own, as an agent starts it.

Usage: godwit vmm CONFIG.json
`;

const DATASTORE = `A folder or an NFS export for VMs.

  godwit datastore init /srv/vms                 makes it one
  godwit datastore show nfs://filer/export       what is in it

Usage: godwit datastore init|show WHERE
`;

const STATE = `Checks a saved VM from beginning to end, and says what it is.

  godwit state show web.state

Usage: godwit state show FILE
`;

const STORE = `What a controller without NATS remembers, in one file; the controller must not be running.

  godwit store show /var/lib/godwit/controller/cluster.db       whether it is whole, and its backups
  godwit store restore /var/lib/godwit/controller/cluster.db    the newest backup that is whole takes its place

Usage: godwit store show FILE
       godwit store restore FILE [--from BACKUP]

What stood in its place is kept under another name. A controller makes backups
beside the file while it runs.
`;

export const others: readonly Other[] = [
  { name: 'up', summary: 'a cluster to try on this machine: hosts, Linux guests, dashboard', help: UP },
  { name: 'run', summary: 'one VM in the foreground, its serial port on the terminal', help: RUN },
  { name: 'datastore', summary: 'init WHERE | show WHERE: a folder or nfs://SERVER/EXPORT for VMs', help: DATASTORE },
  { name: 'state', summary: 'show FILE: checks a saved VM and says what it is', help: STATE },
  { name: 'store', summary: "show | restore FILE: a controller's embedded store and its backups", help: STORE },
  { name: 'controller', summary: "CONFIG.json: a cluster's controller", help: CONTROLLER },
  { name: 'agent', summary: "CONFIG.json: a host's agent", help: AGENT },
  { name: 'vmm', summary: 'CONFIG.json: one VM as a process of its own, for agents', help: VMM },
];
