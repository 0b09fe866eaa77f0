use super::*;

#[test]
fn the_group_is_looked_for_where_the_hierarchy_is_mounted() {
    let v1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,memory";
    let place = Place::of(v1, "4:memory:/a/b\n3:cpuset:/\n").unwrap();
    assert_eq!(
        place,
        Place {
            version: CgroupVersion::V1,
            directory: "/sys/fs/cgroup/memory/a/b".into()
        }
    );
    let v2 = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw";
    let place = Place::of(v2, "0::/system.slice/cmcp.service\n").unwrap();
    assert_eq!(place.version, CgroupVersion::V2);
    assert_eq!(
        place.directory,
        Path::new("/sys/fs/cgroup/system.slice/cmcp.service")
    );
}

#[test]
fn in_a_container_the_path_begins_at_the_mounted_root() {
    let v2 = "41 31 0:38 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw";
    let place = Place::of(v2, "0::/docker/abc\n").unwrap();
    assert_eq!(place.directory, Path::new("/sys/fs/cgroup"));
    assert_eq!(Place::of(v2, "0::/elsewhere\n"), None);
}

#[test]
fn other_hierarchies_and_other_lines_are_none() {
    let cpu = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
    assert_eq!(Place::of(cpu, "1:cpu:/\n"), None);
    for line in ["", "22 27 0:21 / /proc rw - proc proc rw", "1 2 3", "a - b"] {
        assert_eq!(Place::of(line, "0::/\n"), None);
    }
}
