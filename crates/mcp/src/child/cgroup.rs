//! A control group of its own for every server, in either version of the hierarchy, as far as
//! this machine lets us have one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{ChildLimits, plan::Means};

/// The control groups made for one server.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) paths: Vec<PathBuf>,
    /// What bounds memory: one of them, or nothing yet.
    pub(super) memory: Means,
    /// What bounds the number of processes.
    pub(super) processes: Means,
}

impl Groups {
    /// Makes what can be made. Nothing here is an error: what is missing is reported as missing.
    pub(super) fn create(limits: &ChildLimits) -> Self {
        let mut groups = Self {
            paths: Vec::new(),
            memory: Means::None,
            processes: Means::None,
        };
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let places: Vec<Place> = mounts
            .lines()
            .filter_map(|m| Place::of(m, &membership))
            .collect();
        for place in &places {
            groups.add(place, limits);
        }
        groups
    }

    fn add(&mut self, place: &Place, limits: &ChildLimits) {
        sweep(&place.directory);
        // Refused wherever processes live beside us; then the group serves for killing alone.
        for controller in ["+memory", "+pids"] {
            let _ = fs::write(place.directory.join("cgroup.subtree_control"), controller);
        }
        let path = place.directory.join(format!("{PREFIX}{}", process::id()));
        let made = fs::create_dir(&path);
        if made.is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
            return;
        }
        let set = |file: &str, value: u64| fs::write(path.join(file), value.to_string()).is_ok();
        let memory_file = match place.version {
            CgroupVersion::V1 => "memory.limit_in_bytes",
            CgroupVersion::V2 => "memory.max",
        };
        let memory = set(memory_file, limits.memory);
        let processes = set("pids.max", limits.processes);
        if memory && place.version == CgroupVersion::V2 {
            // Not every kernel has these; the bound above holds without them.
            let _ = set("memory.swap.max", 0);
            let _ = set("memory.oom.group", 1);
        }
        if !(memory || processes || path.join(KILL).exists()) {
            let _ = fs::remove_dir(&path);
            return;
        }
        if memory {
            self.memory = Means::Cgroup;
        }
        if processes {
            self.processes = Means::Cgroup;
        }
        self.paths.push(path);
    }

    pub(super) fn remove(&self) {
        for path in &self.paths {
            let _ = fs::remove_dir(path);
        }
    }
}

/// Kills whatever is in the groups. New processes are forbidden first, where that is possible, so
/// that nothing outruns it.
pub(super) fn kill(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::write(path.join("pids.max"), "0");
    }
    for path in paths {
        if fs::write(path.join(KILL), "1").is_err() {
            kill_one_by_one(path);
        }
    }
}

fn kill_one_by_one(path: &Path) {
    let open = |pid: Pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?));
    let handles: Vec<_> = members(path).into_iter().filter_map(open).collect();
    // A number that is still listed after its handle was opened is still the same process.
    let still = members(path);
    for (_, handle) in handles.iter().filter(|(pid, _)| still.contains(pid)) {
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}

fn members(path: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    list.lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect()
}

/// Removes what supervisors that were killed have left behind.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Where in a mounted hierarchy this process stands.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    version: CgroupVersion,
    directory: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CgroupVersion {
    V1,
    V2,
}

impl Place {
    /// Reads one line of `mountinfo` against `/proc/self/cgroup`.
    fn of(mount: &str, membership: &str) -> Option<Self> {
        let (mount, kind) = mount.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut kind = kind.split(' ');
        let (version, controllers) = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => (CgroupVersion::V2, ""),
            ("cgroup", options) => {
                let wanted = options
                    .split(',')
                    .find(|name| ["memory", "pids"].contains(name))?;
                (CgroupVersion::V1, wanted)
            }
            _ => return None,
        };
        let own = membership.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (id, names, path) = (parts.next()?, parts.next()?, parts.next()?);
            let ours = match version {
                CgroupVersion::V1 => names.split(',').any(|name| name == controllers),
                CgroupVersion::V2 => id == "0",
            };
            ours.then_some(path)
        })?;
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(Self {
            version,
            directory: Path::new(point).join(below),
        })
    }
}

const PREFIX: &str = "cmcp-child-";
const KILL: &str = "cgroup.kill";

#[cfg(test)]
mod tests;
