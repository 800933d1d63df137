//! How this machine is, from /proc.

use std::{collections::BTreeMap, fs, path::Path};
use wardroom_wire::link::ReportShape;

/// Reads the machine's state; keeps what is needed to tell how busy it was since the last reading.
#[derive(Debug, Default)]
pub struct Machine {
    busy: u64,
    total: u64,
}

impl Machine {
    /// The state now. What can't be read is zero.
    pub fn report(&mut self, data: &Path) -> ReportShape {
        let memory = memory();
        let (disk_bytes, disk_used_bytes) = disk(data);
        let kernel = rustix::system::uname();
        ReportShape {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            system: format!(
                "{} {}",
                kernel.sysname().to_string_lossy(),
                kernel.release().to_string_lossy()
            ),
            cpus: std::thread::available_parallelism()
                .map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
            cpu_permille: self.cpu(),
            load_permille: load(),
            memory_bytes: memory.0,
            memory_used_bytes: memory.0.saturating_sub(memory.1),
            disk_bytes,
            disk_used_bytes,
            sandbox: BTreeMap::new(),
            runs_active: 0,
            alerts: vec![],
        }
    }

    fn cpu(&mut self) -> u32 {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let times: Vec<u64> = text
            .lines()
            .next()
            .map(|line| {
                line.split_whitespace()
                    .skip(1)
                    .take(8)
                    .map(|field| field.parse().unwrap_or(0))
                    .collect()
            })
            .unwrap_or_default();
        let total: u64 = times.iter().sum();
        // Idle and waiting for disks.
        let idle: u64 = times.iter().skip(3).take(2).sum();
        let busy = total.saturating_sub(idle);
        let (since_busy, since) =
            (busy.saturating_sub(self.busy), total.saturating_sub(self.total));
        (self.busy, self.total) = (busy, total);
        u32::try_from((since_busy * 1000).checked_div(since).unwrap_or(0)).unwrap_or(0)
    }
}

fn load() -> u32 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0.0);
    (load * 1000.0) as u32
}

/// All memory and what is available, in bytes.
fn memory() -> (u64, u64) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
            * 1024
    };
    (of("MemTotal:"), of("MemAvailable:"))
}

/// The size of the file system of `path` and what is used of it, in bytes.
fn disk(path: &Path) -> (u64, u64) {
    match rustix::fs::statvfs(path) {
        Ok(found) => {
            let all = found.f_blocks * found.f_frsize;
            (all, all.saturating_sub(found.f_bfree * found.f_frsize))
        }
        Err(_) => (0, 0),
    }
}
