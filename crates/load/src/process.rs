//! What a process on this machine costs, as Linux tells it.

use std::fs;

/// Ticks a second in which `/proc/PID/stat` counts: `USER_HZ` is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that all threads of a process took so far.
pub(crate) fn cpu_seconds(process: u32) -> Option<f64> {
    cpu_in(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Bytes of memory that a process has resident now.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    resident_in(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn cpu_in(stat: &str) -> Option<f64> {
    // The name stands in parentheses and may hold anything; behind it are numbers. proc(5): utime is field 14.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some((next()? + next()?) / TICKS_PER_SECOND)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_stand_where_the_manual_says() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 109 0 0 0 150 25 0 0 20 0 3 0 1 2 3";
        assert_eq!(cpu_in(stat), Some(1.75));
        assert_eq!(cpu_in("nonsense"), None);
        assert_eq!(resident_in("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident_in("Name:\tx\n"), None);
    }
}
