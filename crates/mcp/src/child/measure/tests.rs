use std::os::unix::fs::PermissionsExt;

use super::*;

fn line(text: &str) -> Result<Option<Shebang>, SpawnError> {
    shebang(text.as_bytes(), Path::new("/s"))
}

fn resolved(text: &str, search: &str) -> Result<(PathBuf, Vec<String>), SpawnError> {
    line(text)?.unwrap().resolve(Path::new("/s"), search)
}

#[test]
fn the_first_line_is_split_as_linux_does() {
    assert_eq!(line("\x7fELF"), Ok(None));
    let own = |arguments: &[&str]| {
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        Ok(("/bin/sh".into(), arguments))
    };
    assert_eq!(resolved("#!/bin/sh\n", ""), own(&[]));
    assert_eq!(resolved("#! /bin/sh -e \nrest", ""), own(&["-e"]));
    assert_eq!(
        resolved("#!/bin/sh -e -u\n", ""),
        own(&["-e -u"]),
        "one argument, blanks and all"
    );
    assert_eq!(
        resolved("#!/bin/sh", ""),
        own(&[]),
        "a script that ends there"
    );
}

#[test]
fn env_is_looked_up_here_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python3");
    std::fs::write(&python, "").unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("relative:/nonexistent:{}", folder.path().display());
    let found = |text| resolved(text, &search);
    assert_eq!(
        found("#!/usr/bin/env python3\n"),
        Ok((python.clone(), vec![]))
    );
    assert_eq!(
        found("#!/usr/bin/env -S python3 -u -B\n"),
        Ok((python, vec!["-u".into(), "-B".into()]))
    );
    let missing = SpawnError::InterpreterNotFound {
        name: "perl7".to_owned(),
    };
    assert_eq!(found("#!/usr/bin/env perl7\n"), Err(missing));
}

#[test]
fn what_env_would_do_besides_is_refused() {
    let malformed = SpawnError::Shebang { path: "/s".into() };
    for text in [
        "#!/usr/bin/env\n",
        "#!/usr/bin/env -i sh\n",
        "#!/usr/bin/env LD_PRELOAD=/x sh\n",
        "#!/usr/bin/env -S 'sh'\n",
        "#!sh\n",
        "#!\n",
    ] {
        assert_eq!(resolved(text, "/bin"), Err(malformed.clone()), "{text}");
    }
    let endless = format!("#!/bin/sh {}", "x".repeat(300));
    assert_eq!(line(endless.get(..256).unwrap()), Err(malformed));
}

#[test]
fn arguments_that_are_worked_on_are_not_measured() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        std::fs::write(folder.path().join(name), "x").unwrap();
    };
    make("data.db");
    make("server.py");
    let args = ["-u", "server.py", "--db", "data.db", "missing.js", ""].map(str::to_owned);
    let target = Target {
        command: Path::new("/bin/sh"),
        args: &args,
        cwd: Some(folder.path()),
        pins: &[],
        search: "/bin",
    };
    let files = target.open().unwrap().files;
    let paths: Vec<_> = files
        .iter()
        .map(|file| file.measured.path.clone())
        .collect();
    assert_eq!(
        paths,
        [PathBuf::from("/bin/sh"), folder.path().join("server.py")]
    );
}
