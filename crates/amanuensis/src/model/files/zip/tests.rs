use proptest::prelude::*;

use super::*;

/// Writes archives by hand, with whatever lies tests want.
#[derive(Default)]
pub(in crate::model::files) struct Maker {
    pub(in crate::model::files) bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl Maker {
    /// Adds a file that is stored as it is.
    pub(in crate::model::files) fn stored(&mut self, name: &str, contents: &[u8]) -> &mut Self {
        self.packed(name, 0, contents, contents)
    }

    pub(in crate::model::files) fn packed(
        &mut self,
        name: &str,
        method: u16,
        packed: &[u8],
        contents: &[u8],
    ) -> &mut Self {
        self.entry(
            name,
            method,
            crc32fast::hash(contents),
            packed.len() as u32,
            contents.len() as u32,
            self.bytes.len(),
        );
        self.local(name, method);
        self.bytes.extend(packed);
        self
    }

    fn local(&mut self, name: &str, method: u16) {
        let bytes = &mut self.bytes;
        bytes.extend(LOCAL.to_le_bytes());
        bytes.extend([20, 0, 0, 0]);
        bytes.extend(method.to_le_bytes());
        // Sizes stand in the directory, as they do where they were not known before.
        bytes.extend([0; 16]);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
    }

    fn entry(&mut self, name: &str, method: u16, crc: u32, packed: u32, size: u32, offset: usize) {
        let bytes = &mut self.directory;
        bytes.extend(ENTRY.to_le_bytes());
        bytes.extend([20, 0, 20, 0, 0, 0]);
        bytes.extend(method.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend([crc, packed, size].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend((offset as u32).to_le_bytes());
        bytes.extend(name.as_bytes());
        self.entries += 1;
    }

    pub(in crate::model::files) fn finish(&self) -> Vec<u8> {
        let mut bytes = [&self.bytes[..], &self.directory].concat();
        bytes.extend(END.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend([self.entries.to_le_bytes(), self.entries.to_le_bytes()].as_flattened());
        bytes.extend((self.directory.len() as u32).to_le_bytes());
        bytes.extend((self.bytes.len() as u32).to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }
}

fn good() -> Vec<u8> {
    let mut maker = Maker::default();
    maker.stored("a/x", b"hello").packed("a/y", 8, &[3, 0], b"").stored("a/", b"").stored("z", b"");
    maker.finish()
}

fn reason(bytes: &[u8]) -> String {
    read(bytes).unwrap_err()
}

#[test]
fn members_are_found_where_they_lie() {
    let bytes = good();
    let members = read(&bytes).unwrap();
    let names: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.packing, member.size)).collect();
    assert_eq!(names, [("a/x", Packing::Stored, 5), ("a/y", Packing::Deflated, 0), ("z", Packing::Stored, 0)]);
    assert_eq!(small(&bytes, &members[0]).unwrap(), b"hello");
    let mut with_comment = bytes.clone();
    let at = bytes.len() - 2;
    with_comment[at] = 3;
    with_comment.extend(b"PK!");
    assert_eq!(read(&with_comment).unwrap(), members);
    assert!(read(&Maker::default().finish()).unwrap().is_empty());
}

#[test]
fn damage_is_seen_in_small_files_unless_no_sum_was_made() {
    let mut bytes = good();
    let members = read(&bytes).unwrap();
    bytes[members[0].range.start] ^= 1;
    let error = small(&bytes, &members[0]).unwrap_err();
    assert!(error.starts_with("a/x: its contents are damaged, their CRC-32 is"), "{error}");
    assert!(small(&bytes, &Member { crc: 0, ..members[0].clone() }).is_ok());
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "/etc/passwd", "a/../../x", "a//b", "./x", "..", "C:/x", "a\\..\\x", "", "/"] {
        let error = reason(&Maker::default().stored(name, b"").finish());
        assert!(error.contains("leads out of the archive"), "{name:?}: {error}");
    }
    let error = reason(&Maker::default().stored("a\0b", b"").finish());
    assert!(error.contains("is not plain UTF-8"), "{error}");
    let error = reason(&Maker::default().stored(&"n".repeat(2000), b"").finish());
    assert_eq!(error, "a name of 2000 bytes, more than the limit of 1024");
}

#[test]
fn archives_that_contradict_themselves_are_refused() {
    let twice = Maker::default().stored("x", b"1").stored("x", b"2").finish();
    assert_eq!(reason(&twice), "x: the name stands twice");

    let mut overlapping = Maker::default();
    overlapping.stored("x", b"123456");
    // Its contents are the header and the contents of another.
    let inner = overlapping.bytes.len();
    overlapping.local("y", 0);
    overlapping.bytes.extend(b"abc");
    let all = (overlapping.bytes.len() - 31) as u32;
    overlapping.entry("y", 0, 0, 3, 3, inner);
    overlapping.directory[20..28].copy_from_slice(&[all.to_le_bytes(), all.to_le_bytes()].concat());
    assert_eq!(reason(&overlapping.finish()), "y: it overlaps the one before it by 34 bytes");

    // Many entries for one file, which is how small archives become large.
    let mut same = Maker::default();
    same.stored("x", b"1");
    same.entry("y", 0, 0, 1, 1, 0);
    assert_eq!(reason(&same.finish()), "y: its header names another file than the directory");

    let mut elsewhere = Maker::default();
    elsewhere.entry("x", 0, 0, 0, 0, 4000);
    assert!(reason(&elsewhere.finish()).contains("x: there is no header at byte 4000"));

    let mut long = Maker::default();
    long.local("x", 0);
    long.entry("x", 0, 0, 1 << 30, 1 << 30, 0);
    assert_eq!(reason(&long.finish()), "x: its 1073741824 bytes do not fit into the archive: it is truncated");

    let mut swollen = Maker::default();
    swollen.local("x", 0);
    swollen.entry("x", 0, 0, 0, 1 << 30, 0);
    assert_eq!(reason(&swollen.finish()), "x: it is stored in 0 bytes but claims to be 1073741824");

    let mut secret = Maker::default();
    secret.stored("x", b"1");
    secret.directory[8] = 1;
    assert_eq!(reason(&secret.finish()), "x: it is encrypted");
}

#[test]
fn ends_that_are_wrong_are_refused() {
    let bytes = good();
    assert_eq!(reason(b"PK\x03\x04"), "it is too short for a zip archive");
    assert!(reason(&bytes[..bytes.len() - 1]).contains("it is truncated, or something was added to it"));
    assert!(reason(&[&bytes[..], b"more"].concat()).contains("it is truncated, or something was added to it"));
    let changed = |from_end: usize, with: &[u8]| {
        let mut changed = bytes.clone();
        let at = bytes.len() - from_end;
        changed[at..at + with.len()].copy_from_slice(with);
        reason(&changed)
    };
    assert_eq!(changed(18, &[1]), "it is one part of an archive of several");
    assert_eq!(changed(14, &[9, 0, 9, 0]), "its directory claims 9 entries in 193 bytes");
    assert_eq!(changed(14, &[3, 0, 3, 0]), "47 bytes of its directory belong to no entry");
    assert!(changed(10, &[0xFE; 4]).contains("its directory claims 4278124286 bytes from byte"));
    assert!(changed(6, &[0xFE; 4]).contains("from byte 4278124286 on, which do not lie before its end"));
    assert_eq!(changed(6, &[0]), "entry 0 of its directory is cut off or no entry");
}

#[test]
fn sizes_of_64_bits_are_read_and_must_agree() {
    let mut bytes = Maker::default().stored("x", b"hello").finish();
    let plain = read(&bytes).unwrap();
    let (end, directory) = (bytes.len() - 22, bytes.len() - 22 - 47);
    let mut tail = bytes.split_off(end);
    let end64 = bytes.len() as u64;
    bytes.extend(END64.to_le_bytes());
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend([1, 1, 47, directory as u64].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(LOCATOR64.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(end64.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    let whole = [&bytes[..], &tail].concat();
    assert_eq!(read(&whole).unwrap(), plain);
    tail[8..20].fill(0xFF);
    assert_eq!(read(&[&bytes[..], &tail].concat()).unwrap(), plain);
    tail[12] = 1;
    assert_eq!(reason(&[&bytes[..], &tail].concat()), "its two ends contradict each other");
    let mut lost = whole.clone();
    lost[end + 56 + 8] ^= 1;
    assert_eq!(reason(&lost), "its 64-bit end is not where it says");
}

proptest! {
    #[test]
    fn damaged_archives_are_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = good();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(20) / 4);
        if let Ok(members) = read(&bytes) {
            for member in members {
                prop_assert!(bytes.get(member.range.clone()).is_some());
                prop_assert!(member.packing != Packing::Stored || member.size == member.range.len());
            }
        }
    }
}
