mod forged;
mod oracle;

/// Makes a PE image of sections, each of which begins at a multiple of 512 bytes.
pub(super) fn image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[60..64].copy_from_slice(&64_u32.to_le_bytes());
    bytes.extend(b"PE\0\0");
    bytes.extend([0x64, 0x86]);
    bytes.extend(u16::try_from(sections.len()).unwrap().to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(240_u16.to_le_bytes());
    bytes.extend([0x22, 0]);
    let mut optional = vec![0; 240];
    optional[..2].copy_from_slice(&0x20b_u16.to_le_bytes());
    optional[60..64].copy_from_slice(&1024_u32.to_le_bytes());
    optional[64..68].copy_from_slice(&0xdead_beef_u32.to_le_bytes());
    optional[108..112].copy_from_slice(&16_u32.to_le_bytes());
    bytes.extend(optional);
    let mut data: Vec<u8> = Vec::new();
    for (name, content) in sections {
        let at = 1024 + data.len();
        let mut padded = content.to_vec();
        padded.resize(content.len().next_multiple_of(512), 0);
        let mut entry = vec![0; 40];
        entry[..name.len()].copy_from_slice(name.as_bytes());
        entry[8..12].copy_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
        entry[16..20].copy_from_slice(&u32::try_from(padded.len()).unwrap().to_le_bytes());
        entry[20..24].copy_from_slice(&u32::try_from(at).unwrap().to_le_bytes());
        bytes.extend(entry);
        data.extend(padded);
    }
    bytes.resize(1024, 0);
    bytes.extend(data);
    bytes
}

/// What a stub of that version says of itself.
pub(super) fn magic(version: &str) -> Vec<u8> {
    format!("#### LoaderInfo: systemd-stub {version} ####\0").into_bytes()
}
