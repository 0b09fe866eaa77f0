use std::{fs, os::unix::fs::PermissionsExt};

use super::{network_filesystem, read, read_tree};

#[test]
fn a_file_that_everybody_may_write_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    fs::write(&path, "a").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let file = read(&path, 10).unwrap();
    let texts: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
    let expected = format!(
        "{}: everybody may write this file; take that right away (`chmod o-w`)",
        path.display()
    );
    assert_eq!(texts, [expected]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(read(&path, 10).unwrap().problems, Vec::new());
}

#[test]
fn a_symbolic_link_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (
        folder.path().join("c.yaml"),
        folder.path().join("link.yaml"),
    );
    fs::write(&path, "a").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let notices = read(&link, 10).unwrap().notices;
    assert_eq!(
        notices,
        [format!(
            "`{}` is a symbolic link; it was followed",
            link.display()
        )]
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.yaml");
    assert_eq!(
        read(&path, 10).err().unwrap().to_string(),
        format!(
            "{}: the file cannot be read: it does not exist; check the path, which counts from the configuration file's folder",
            path.display()
        )
    );
    assert_eq!(
        read(folder.path(), 10).err().unwrap().to_string(),
        format!(
            "{}: the file cannot be read: it is a folder; name a file, not a folder",
            folder.path().display()
        )
    );
    fs::write(&path, "0123456789x").unwrap();
    assert!(
        read(&path, 10)
            .err()
            .unwrap()
            .to_string()
            .contains("larger than 10 bytes")
    );
}

#[test]
fn a_tree_is_read_in_order_of_path() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("b/c")).unwrap();
    for name in ["z.cedar", "a.cedar", "b/c/d.cedar", "note.txt"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    std::os::unix::fs::symlink(folder.path(), folder.path().join("b/around")).unwrap();
    let mut problems = Vec::new();
    let files = read_tree(
        folder.path(),
        |path| path.ends_with(".cedar"),
        &mut problems,
    );
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a.cedar", "b/c/d.cedar", "z.cedar"]);
    assert_eq!(problems, Vec::new());
    read_tree(&folder.path().join("none"), |_| true, &mut problems);
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_local_disk_is_no_network() {
    assert_eq!(network_filesystem(std::path::Path::new("audit.db")), None);
}
