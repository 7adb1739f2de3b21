//! Which AAC this is: the built-in decoder reads low complexity only, and half-band sound must not pass for whole.

/// The profile when it is not one that the built-in decoder reads; none when it may be low complexity.
pub(super) fn unsupported_profile(config: Option<&[u8]>) -> Option<String> {
    let config = config?;
    let mut bits = Bits { bytes: config, place: 0 };
    let kind = object_type(&mut bits)?;
    let named = |name: &str| Some(name.to_owned());
    match kind {
        2 => {}
        5 => return named("HE-AAC (AAC with spectral band replication)"),
        29 => return named("HE-AAC v2 (AAC with parametric stereo)"),
        1 => return named("AAC Main"),
        3 => return named("AAC SSR"),
        4 => return named("AAC LTP"),
        23 | 39 => return named("AAC low delay"),
        42 => return named("xHE-AAC (USAC)"),
        other => return Some(format!("MPEG-4 audio object type {other}")),
    }
    if bits.take(4)? == 15 {
        bits.take(24)?;
    }
    let channels = bits.take(4)?;
    // Frame length, dependency on a core coder, extension flag.
    bits.take(1)?;
    if bits.take(1)? == 1 {
        bits.take(14)?;
    }
    bits.take(1)?;
    if channels == 0 {
        return named("AAC with a program configuration of its own");
    }
    if channels > 2 {
        return Some(format!("AAC with {} channels", if channels == 7 { 8 } else { channels }));
    }
    // Backward compatible signalling: the extension follows after a mark.
    if bits.take(11)? == 0x2b7 && object_type(&mut bits)? == 5 && bits.take(1)? == 1 {
        return named("HE-AAC (AAC with spectral band replication)");
    }
    None
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(5)? {
        31 => Some(32 + bits.take(6)?),
        kind => Some(kind),
    }
}

/// Packets that are looked at before the verdict.
const LOOKED_AT: u32 = 24;

/// Watches the first packets for spectral band replication that no header announced.
///
/// The extension lies in a fill element, which encoders write last before the end mark. A packet is taken to carry one
/// when a fill element with the mark of the extension ends exactly at the end mark. Chance makes that so in about one
/// packet of sixty; a stream that really has it has it in nearly all.
#[derive(Default)]
pub(super) struct BandReplication {
    packets: u32,
    marked: u32,
}

impl BandReplication {
    /// Looks at a packet; true once the stream is known to be HE-AAC.
    pub(super) fn look(&mut self, packet: &[u8]) -> bool {
        if self.packets >= LOOKED_AT || packet.len() < 8 {
            return false;
        }
        self.packets += 1;
        self.marked += u32::from(ends_with_replication(packet));
        self.packets == LOOKED_AT && self.marked * 4 >= LOOKED_AT * 3
    }
}

fn ends_with_replication(packet: &[u8]) -> bool {
    let total = packet.len() * 8;
    // The end mark 111 lies in the last two bytes, followed by zeros up to the byte.
    let Some(last) = (total - 8..total).rev().find(|&place| bit(packet, place) == 1) else { return false };
    if last < 2 || !(last - 2..=last).all(|place| bit(packet, place) == 1) {
        return false;
    }
    let end = last - 2;
    (1..=269usize).any(|count| {
        let (head, escaped) = if count < 15 { (7, None) } else { (15, Some(count - 14)) };
        let Some(start) = end.checked_sub(count * 8 + head) else { return false };
        let mut bits = Bits { bytes: packet, place: start };
        if bits.take(3) != Some(6) {
            return false;
        }
        let length = match escaped {
            None => bits.take(4) == Some(count as u32),
            Some(rest) => bits.take(4) == Some(15) && bits.take(8) == Some(rest as u32),
        };
        length && matches!(bits.take(4), Some(0xd | 0xe))
    })
}

fn bit(bytes: &[u8], place: usize) -> u8 {
    bytes[place / 8] >> (7 - place % 8) & 1
}

struct Bits<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 32.
    fn take(&mut self, count: usize) -> Option<u32> {
        if self.place + count > self.bytes.len() * 8 {
            return None;
        }
        let value =
            (self.place..self.place + count).fold(0, |value, place| value << 1 | u32::from(bit(self.bytes, place)));
        self.place += count;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_told_apart() {
        // 44.1 kHz stereo low complexity.
        assert_eq!(unsupported_profile(Some(&[0x12, 0x10])), None);
        assert_eq!(unsupported_profile(None), None);
        // The same with the extension announced after it: 0x2b7, type 5, present.
        let announced = unsupported_profile(Some(&[0x13, 0x90, 0x56, 0xe5, 0xa0]));
        assert!(announced.is_some_and(|name| name.contains("HE-AAC")));
        // Type 5 first.
        assert!(unsupported_profile(Some(&[0x2b, 0x92, 0x08, 0x00])).is_some_and(|name| name.contains("HE-AAC")));
        // Six channels.
        assert!(unsupported_profile(Some(&[0x11, 0xb0])).is_some_and(|name| name.contains("6 channels")));
    }

    #[test]
    fn a_fill_element_before_the_end_mark_is_seen() {
        // Some bytes, then id 110, count 3, type 1101, rest of three bytes, end 111 and padding.
        let mut bits = "10100110".repeat(6);
        bits.push_str(&format!("110{:04b}1101{}111", 3, "0".repeat(20)));
        while !bits.len().is_multiple_of(8) {
            bits.push('0');
        }
        let packet: Vec<u8> =
            bits.as_bytes().chunks(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | (bit - b'0'))).collect();
        assert!(ends_with_replication(&packet));
        let mut watch = BandReplication::default();
        assert!((0..24).any(|_| watch.look(&packet)));
        assert!(!ends_with_replication(&[0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c, 0, 0, 0xe0]));
    }
}
