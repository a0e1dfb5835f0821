#!/bin/sh
# Runs in the guest: disk, CPU and clock at work, each leaving proof behind in /root/load.
#   start      begins; returns at once
#   finish     ends it and checks everything; prints "proof: …" lines, the last one "proof: whole" if nothing is wrong
dir=/root/load
mkdir -p $dir
bad() { echo "BAD $*" >> $dir/bad; }

disk() { # each file is written, forced out, dropped from memory, read back
  i=0
  while [ ! -e $dir/stop ]; do
    f=$dir/file.$((i % 6))
    head -c 1500000 /dev/urandom > $f.new && sum=$(sha256sum < $f.new) && sync $f.new && mv $f.new $f
    [ $((i % 3)) = 0 ] && echo 1 > /proc/sys/vm/drop_caches
    [ "$(sha256sum < $f)" = "$sum" ] || bad "file $i"
    i=$((i + 1))
    echo $i > $dir/files
  done
}
database() { # each row is durable before the next one is made
  sqlite3 $dir/db 'create table if not exists t(n integer primary key, x text)'
  n=0
  while [ ! -e $dir/stop ]; do
    n=$((n + 1))
    sqlite3 $dir/db "insert into t values($n, hex(randomblob(200)))" && echo $n > $dir/rows || bad "row $n"
  done
}
cpu() { # the same sum, over and over
  want=$(head -c 3000000 /dev/zero | sha256sum)
  n=0
  while [ ! -e $dir/stop ]; do
    [ "$(head -c 3000000 /dev/zero | sha256sum)" = "$want" ] || bad "sum"
    n=$((n + 1))
    echo $n > $dir/sums
  done
}
clock() { # neither clock goes back
  last=0; lastup=0
  while [ ! -e $dir/stop ]; do
    now=$(date +%s%N); read -r up rest < /proc/uptime; up=$(echo $up | tr -d .)
    [ "$now" -ge "$last" ] || bad "time of day $last then $now"
    [ "$up" -ge "$lastup" ] || bad "uptime $lastup then $up"
    last=$now; lastup=$up
    sleep 0.02
  done
}
case $1 in
start)
  rm -rf $dir; mkdir -p $dir
  for part in disk database cpu clock; do $part > $dir/$part.log 2>&1 & done
  ;;
finish)
  touch $dir/stop
  n=0; while pgrep -f 'load.sh start' > /dev/null && [ $n -lt 60 ]; do sleep 1; n=$((n + 1)); done
  [ $n -lt 60 ] || bad "a load did not end: a request hangs"
  [ "$(sqlite3 $dir/db 'pragma integrity_check')" = ok ] || bad "database"
  [ "$(sqlite3 $dir/db 'select count(*) from t')" -ge "$(cat $dir/rows)" ] || bad "rows are missing"
  dmesg | grep -E 'hung task|blocked for more|soft lockup|I/O error|EXT4-fs error|BUG:|Call Trace|clocksource.*unstable' > $dir/kernel && bad "kernel: $(head -n 3 $dir/kernel | tr '\n' ' ')"
  echo "proof: files $(cat $dir/files) rows $(cat $dir/rows) sums $(cat $dir/sums) host $(date +%s%N)"
  if [ -s $dir/bad ]; then sed 's/^/proof: /' $dir/bad | head -n 20; else echo "proof: whole"; fi
  ;;
esac
