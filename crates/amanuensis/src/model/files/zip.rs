//! Zip archives, as far as PyTorch and NumPy write them: what is in them and where.
//!
//! ```text
//! (local header | name | extra | contents)* | (directory entry)* | end64 | locator64 | end
//! ```
//!
//! Nothing is unpacked here. Contents that are stored as they are lie in the file at [`Member::range`], so weights can be
//! used where they are mapped. The directory and the local headers say the same things twice and a reader that
//! believes the one may see another archive than a reader that believes the other, so they must agree, nothing may overlap
//! and no name may stand twice or lead out of a folder.

use std::collections::HashSet;
use std::ops::Range;

/// One file in an archive.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Member {
    pub(in crate::model) name: String,
    pub(in crate::model) packing: Packing,
    pub(in crate::model) crc: u32,
    /// Bytes of the contents once they are unpacked.
    pub(in crate::model) size: usize,
    /// Where the contents lie in the archive, packed or not.
    pub(in crate::model) range: Range<usize>,
}

/// How contents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Packing {
    Stored,
    Deflated,
    /// By this number of the format's list.
    Other(u16),
}

const LOCAL: u32 = 0x0403_4b50;
const ENTRY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;

const LOCAL_LENGTH: usize = 30;
const ENTRY_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
const END64_LENGTH: usize = 56;
const LOCATOR64_LENGTH: usize = 20;
/// The end carries a comment of at most so many bytes.
const LONGEST_COMMENT: usize = 0xFFFF;
/// The extra field with the sizes that do not fit into 32 bits.
const EXTRA64: u16 = 1;
/// Neither PyTorch nor NumPy writes more than a few dozen bytes.
const LONGEST_NAME: usize = 1024;

/// Lists what is in an archive. Every range lies inside `bytes`, and no two overlap.
pub(in crate::model) fn read(bytes: &[u8]) -> Result<Vec<Member>, String> {
    let directory = find_directory(bytes)?;
    let mut rest = &bytes[directory.range.clone()];
    let mut seen = HashSet::new();
    let mut members = Vec::new();
    let mut taken = Vec::new();
    for number in 0..directory.entries {
        let (entry, length) =
            read_entry(rest).ok_or_else(|| format!("entry {number} of its directory is cut off or no entry"))?;
        rest = &rest[length..];
        let name = check_name(entry.name)?;
        let within = |reason: String| format!("{name}: {reason}");
        if !seen.insert(name) {
            return Err(within("the name stands twice".to_owned()));
        }
        let member = locate(bytes, directory.range.start, &entry, name).map_err(within)?;
        taken.push((entry.offset as usize, member.range.end, members.len()));
        members.push(member);
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes of its directory belong to no entry", rest.len()));
    }
    taken.sort_unstable();
    for pair in taken.windows(2) {
        if let [(_, end, _), (start, _, which)] = pair
            && start < end
        {
            return Err(format!("{}: it overlaps the one before it by {} bytes", members[*which].name, end - start));
        }
    }
    members.retain(|member| !member.name.ends_with('/'));
    Ok(members)
}

/// The contents of a small file that is stored as it is, checked against their sum.
///
/// PyTorch can be told to leave sums out; it writes 0 then.
pub(in crate::model) fn small<'a>(bytes: &'a [u8], member: &Member) -> Result<&'a [u8], String> {
    let contents = bytes.get(member.range.clone()).unwrap_or_default();
    let found = crc32fast::hash(contents);
    if member.crc != 0 && found != member.crc {
        return Err(format!(
            "{}: its contents are damaged, their CRC-32 is {found:08x}, not {:08x}",
            member.name, member.crc
        ));
    }
    Ok(contents)
}

struct Directory {
    entries: u64,
    range: Range<usize>,
}

/// Finds the directory from the end of the archive.
fn find_directory(bytes: &[u8]) -> Result<Directory, String> {
    let last = bytes.len().checked_sub(END_LENGTH).ok_or("it is too short for a zip archive")?;
    let is_end = |at: &usize| {
        u32_at(bytes, *at) == Some(END)
            && u16_at(bytes, *at + 20).is_some_and(|comment| *at + END_LENGTH + usize::from(comment) == bytes.len())
    };
    let end = (last.saturating_sub(LONGEST_COMMENT)..=last).rev().find(is_end);
    let end = end.ok_or("its directory is not at its end: it is truncated, or something was added to it")?;
    let cut = || "its end is cut off".to_owned();
    let short = |at| u16_at(bytes, end + at).map(u64::from).ok_or_else(cut);
    let long = |at| u32_at(bytes, end + at).map(u64::from).ok_or_else(cut);
    let disks = (short(4)?, short(6)?);
    let mut found = (short(10)?, long(12)?, long(16)?);
    if !matches!(disks, (0, 0) | (0xFFFF, 0xFFFF)) || short(8)? != found.0 {
        return Err("it is one part of an archive of several".to_owned());
    }
    let mut limit = end;
    let locator = end.checked_sub(LOCATOR64_LENGTH).filter(|at| u32_at(bytes, *at) == Some(LOCATOR64));
    if let Some(locator) = locator {
        let at = u64_at(bytes, locator + 8).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|at| at.checked_add(END64_LENGTH).is_some_and(|end| end <= locator));
        let at = at.filter(|at| u32_at(bytes, *at) == Some(END64));
        let at = at.ok_or("its 64-bit end is not where it says")?;
        let field = |offset| u64_at(bytes, at + offset).ok_or_else(cut);
        let wide = (field(32)?, field(40)?, field(48)?);
        let agrees = |narrow: u64, wide: u64, most: u64| narrow == wide || narrow == most;
        if !agrees(found.0, wide.0, 0xFFFF)
            || !agrees(found.1, wide.1, 0xFFFF_FFFF)
            || !agrees(found.2, wide.2, 0xFFFF_FFFF)
        {
            return Err("its two ends contradict each other".to_owned());
        }
        (found, limit) = (wide, at);
    }
    let (entries, size, start) = found;
    let range = start.checked_add(size).filter(|end| *end <= limit as u64).map(|end| start as usize..end as usize);
    let range = range.ok_or_else(|| {
        format!(
            "its directory claims {size} bytes from byte {start} on, which do not lie before its end at byte {limit}"
        )
    })?;
    if entries > (range.len() / ENTRY_LENGTH) as u64 {
        return Err(format!("its directory claims {entries} entries in {} bytes", range.len()));
    }
    Ok(Directory { entries, range })
}

/// An entry of the directory.
struct Entry<'a> {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
    name: &'a [u8],
}

/// The entry at the beginning of `bytes`, and how many of them it takes.
fn read_entry(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    if u32_at(bytes, 0)? != ENTRY {
        return None;
    }
    let (name, extra, comment) = (u16_at(bytes, 28)?, u16_at(bytes, 30)?, u16_at(bytes, 32)?);
    let name_end = ENTRY_LENGTH + usize::from(name);
    let extra_end = name_end + usize::from(extra);
    let length = extra_end + usize::from(comment);
    bytes.get(..length)?;
    let mut entry = Entry {
        flags: u16_at(bytes, 8)?,
        method: u16_at(bytes, 10)?,
        crc: u32_at(bytes, 16)?,
        packed: u32_at(bytes, 20)?.into(),
        size: u32_at(bytes, 24)?.into(),
        offset: u32_at(bytes, 42)?.into(),
        name: bytes.get(ENTRY_LENGTH..name_end)?,
    };
    // What did not fit stands in an extra field, in this order and only where it did not fit.
    let mut wide = find_extra(bytes.get(name_end..extra_end)?, EXTRA64).unwrap_or_default();
    for field in [&mut entry.size, &mut entry.packed, &mut entry.offset] {
        if *field == 0xFFFF_FFFF {
            *field = u64_at(wide, 0)?;
            wide = wide.get(8..)?;
        }
    }
    Some((entry, length))
}

fn find_extra(mut fields: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (id, length) = (u16_at(fields, 0)?, usize::from(u16_at(fields, 2)?));
        let rest = fields.get(4..)?;
        let field = rest.get(..length)?;
        if id == wanted {
            return Some(field);
        }
        fields = &rest[length..];
    }
}

/// A name that leads to one place below the archive's root.
fn check_name(name: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(name).ok().filter(|text| !text.contains(|c: char| c.is_control()));
    let shown = || String::from_utf8_lossy(name.get(..LONGEST_NAME).unwrap_or(name)).into_owned();
    let text = text.ok_or_else(|| format!("the name {:?} is not plain UTF-8", shown()))?;
    if text.len() > LONGEST_NAME {
        return Err(format!("a name of {} bytes, more than the limit of {LONGEST_NAME}", text.len()));
    }
    let inside = text.trim_end_matches('/');
    let leads_out = inside.split('/').any(|part| matches!(part, "" | "." | ".."));
    if leads_out || text.contains(['\\', ':']) {
        return Err(format!("the name {text:?} leads out of the archive"));
    }
    Ok(text)
}

/// Finds the contents behind their local header, which must say what the directory says.
fn locate(bytes: &[u8], directory: usize, entry: &Entry<'_>, name: &str) -> Result<Member, String> {
    if entry.flags & 1 != 0 {
        return Err("it is encrypted".to_owned());
    }
    let start = usize::try_from(entry.offset).ok().filter(|start| u32_at(bytes, *start) == Some(LOCAL));
    let start =
        start.ok_or_else(|| format!("there is no header at byte {}, where its contents should be", entry.offset))?;
    let lengths = u16_at(bytes, start + 26).zip(u16_at(bytes, start + 28));
    let (name_length, extra) = lengths.ok_or("its header is cut off")?;
    let name_start = start + LOCAL_LENGTH;
    let contents = name_start + usize::from(name_length) + usize::from(extra);
    let same = bytes.get(name_start..name_start + usize::from(name_length)) == Some(name.as_bytes())
        && u16_at(bytes, start + 8) == Some(entry.method);
    if !same {
        return Err("its header names another file than the directory".to_owned());
    }
    let end = (contents as u64).checked_add(entry.packed).filter(|end| *end <= directory as u64);
    let Some(end) = end else {
        return Err(format!("its {} bytes do not fit into the archive: it is truncated", entry.packed));
    };
    let packing = match entry.method {
        0 => Packing::Stored,
        8 => Packing::Deflated,
        other => Packing::Other(other),
    };
    if packing == Packing::Stored && entry.size != entry.packed {
        return Err(format!("it is stored in {} bytes but claims to be {}", entry.packed, entry.size));
    }
    let size = usize::try_from(entry.size).map_err(|_| format!("it claims {} bytes", entry.size))?;
    Ok(Member { name: name.to_owned(), packing, crc: entry.crc, size, range: contents..end as usize })
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
pub(super) mod tests;
