//! Arrays that an archive holds packed.

use crate::model::files::zip::{Member, Packing};

/// Weights hardly get smaller by being packed, zeros a thousand times. What unpacks to more than so many times the archive
/// is no model but made to fill memory.
const MOST_TIMES: usize = 16;
/// What may be unpacked whatever the size of the archive.
const ALWAYS: usize = 1 << 20;

/// Unpacks all packed members, one behind the other; the result says where each is.
pub(super) fn inflate(archive: &[u8], members: &[Member]) -> Result<(Vec<u8>, Vec<std::ops::Range<usize>>), String> {
    let packed = || members.iter().filter(|member| member.packing != Packing::Stored);
    let mut total = 0_usize;
    for member in packed() {
        if let Packing::Other(method) = member.packing {
            return Err(format!("{}: it is packed by method {method}; only deflate is read", member.name));
        }
        total = total.saturating_add(member.size);
    }
    let limit = archive.len().saturating_mul(MOST_TIMES).max(ALWAYS);
    if total > limit {
        return Err(format!(
            "it unpacks to {total} bytes, more than the limit of {MOST_TIMES} times its size, {limit}"
        ));
    }
    let mut bytes = vec![0; total];
    let mut places = Vec::new();
    let mut at = 0;
    for member in packed() {
        let place = at..at + member.size;
        at = place.end;
        let (from, into) = (archive.get(member.range.clone()), bytes.get_mut(place.clone()));
        let (from, into) = from.zip(into).ok_or_else(|| format!("{}: it is cut off", member.name))?;
        let broken = |what: &str| format!("{}: its contents are damaged, {what}", member.name);
        let written = miniz_oxide::inflate::decompress_slice_iter_to_slice(into, [from].into_iter(), false, true)
            .map_err(|status| broken(&format!("they do not unpack to {} bytes ({status:?})", member.size)))?;
        if written != member.size {
            return Err(broken(&format!("they unpack to {written} bytes, not {}", member.size)));
        }
        let found = crc32fast::hash(into);
        if found != member.crc {
            return Err(broken(&format!("their CRC-32 is {found:08x}, not {:08x}", member.crc)));
        }
        places.push(place);
    }
    Ok((bytes, places))
}
