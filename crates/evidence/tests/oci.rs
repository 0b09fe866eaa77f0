//! Digests of container images.
#![cfg(test)]

use cmcp_evidence::{
    Sha256Digest, hex,
    measure::oci::{Files, Image, OciError, images as images_of},
};

fn layout() -> Vec<(String, Vec<u8>)> {
    let blob = |bytes: &[u8]| {
        let digest = Sha256Digest::of(bytes);
        let path = format!("blobs/sha256/{}", digest.hex());
        (digest, (path, bytes.to_vec()))
    };
    let (config, config_file) = blob(br#"{"architecture":"amd64","os":"linux"}"#);
    let (first, first_file) = blob(b"layer one");
    let (second, second_file) = blob(&[7; 200_000]);
    let descriptor = |digest| format!(r#"{{"digest":"{digest}","size":1}}"#);
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{},{}]}}"#,
        descriptor(config),
        descriptor(first),
        descriptor(second)
    );
    let (manifest, manifest_file) = blob(manifest.as_bytes());
    let index = format!(
        r#"{{"manifests":[{{"digest":"{manifest}","platform":{{"os":"linux","architecture":"amd64"}},
            "annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}"#
    );
    vec![
        ("oci-layout".to_owned(), b"{}".to_vec()),
        ("index.json".to_owned(), index.into_bytes()),
        manifest_file,
        config_file,
        first_file,
        second_file,
    ]
}

fn files(layout: &[(String, Vec<u8>)]) -> Files {
    let mut files = Files::new();
    for (path, bytes) in layout {
        files.add(path, bytes.as_slice()).unwrap();
    }
    files
}

/// One header of a tar, and the entry behind it.
fn entry(path: &str, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", body.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend_from_slice(body);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

fn tar(layout: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = entry("blobs/", b'5', b"");
    for (path, bytes) in layout {
        tar.extend(entry(path, b'0', bytes));
    }
    tar.extend([0; 1024]);
    tar
}

#[test]
fn a_layout_and_the_tar_of_it_have_the_same_image() {
    let layout = layout();
    let images = images_of(&files(&layout)).unwrap();
    let digest = |at: usize| Sha256Digest::of(&layout[at].1);
    let image = Image {
        names: vec!["v1".to_owned()],
        platform: Some("linux/amd64".to_owned()),
        manifest: Some(digest(2)),
        config: digest(3),
        layers: vec![digest(4), digest(5)],
    };
    assert_eq!(images, [image]);
    let packed = Files::from_tar(tar(&layout).as_slice()).unwrap();
    assert_eq!(images_of(&packed).unwrap(), images);
}

#[test]
fn a_digest_is_computed_and_never_believed() {
    for changed in 2..6 {
        let mut layout = layout();
        layout[changed].1.push(b' ');
        let error = images_of(&files(&layout)).unwrap_err();
        let OciError::Digest { path, actual } = error else {
            panic!("{error}");
        };
        assert_eq!(path, layout[changed].0);
        assert_eq!(actual, Sha256Digest::of(&layout[changed].1));
    }
}

#[test]
fn what_is_named_has_to_be_there_once() {
    let mut without = layout();
    let (path, _) = without.remove(4);
    let error = images_of(&files(&without)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{path}` is named and is not there, or is a link, which is not followed")
    );
    let mut twice = layout();
    twice.push(("index.json".to_owned(), b"{}".to_vec()));
    let error = Files::from_tar(tar(&twice).as_slice()).unwrap_err();
    assert_eq!(error.to_string(), "`index.json` is there twice");
    assert!(matches!(images_of(&Files::new()), Err(OciError::NoImage)));
}

#[test]
fn a_docker_archive_has_layers_and_no_manifest_digest() {
    let config = br#"{"os":"linux"}"#.to_vec();
    let config_path = format!("{}.json", Sha256Digest::of(&config).hex());
    let layer = format!("{}/layer.tar", "a".repeat(120));
    let manifest =
        format!(r#"[{{"Config":"{config_path}","RepoTags":["shop:1"],"Layers":["{layer}"]}}]"#);
    let mut tar = entry("manifest.json", b'0', manifest.as_bytes());
    tar.extend(entry(&config_path, 0, &config));
    let record = format!(" path={layer}\n");
    let length = record.len() + 3;
    tar.extend(entry("pax", b'x', format!("{length}{record}").as_bytes()));
    tar.extend(entry("short", b'0', b"content"));
    let image = Image {
        names: vec!["shop:1".to_owned()],
        platform: None,
        manifest: None,
        config: Sha256Digest::of(&config),
        layers: vec![Sha256Digest::of(b"content")],
    };
    let files = Files::from_tar(tar.as_slice()).unwrap();
    assert_eq!(images_of(&files).unwrap(), std::slice::from_ref(&image));
    // GNU's way of long names.
    let pax = tar
        .windows(6)
        .position(|bytes| bytes == b"pax\0\0\0")
        .unwrap();
    tar.splice(pax..pax + 1024, entry("@LongLink", b'L', layer.as_bytes()));
    let files = Files::from_tar(tar.as_slice()).unwrap();
    assert_eq!(images_of(&files).unwrap(), [image]);
}

#[test]
fn indexes_are_followed_and_not_for_ever() {
    let mut layout = layout();
    for depth in 0..5 {
        let digest = Sha256Digest::of(&layout[1].1);
        let inner = (
            format!("blobs/sha256/{}", digest.hex()),
            layout[1].1.clone(),
        );
        layout[1].1 = format!(r#"{{"manifests":[{{"digest":"{digest}"}}]}}"#).into_bytes();
        layout.push(inner);
        let found = images_of(&files(&layout));
        match depth < 3 {
            true => assert_eq!(found.unwrap().len(), 1, "{depth}"),
            false => assert!(matches!(found, Err(OciError::Depth)), "{depth}"),
        }
    }
}

#[test]
fn a_cut_or_altered_archive_is_refused_and_nothing_panics() {
    let whole = tar(&layout());
    for cut in (1..whole.len() - 1024).step_by(257) {
        let cut_tar = Files::from_tar(&whole[..cut]);
        let images = cut_tar.and_then(|files| images_of(&files));
        assert!(images.is_err(), "{cut}");
    }
    let mut altered = whole;
    altered[600] ^= 1;
    assert!(matches!(
        Files::from_tar(altered.as_slice()),
        Err(OciError::Tar { at: 512, .. })
    ));
    let mut endless = entry("x", b'0', b"");
    endless[124..136].copy_from_slice(&hex::decode("80000000ffffffffffffffff").unwrap());
    let sum: u32 = endless
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            u32::from(if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            })
        })
        .sum();
    endless[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(matches!(
        Files::from_tar(endless.as_slice()),
        Err(OciError::Tar { .. })
    ));
}
