//! How vocabulary files write bytes: each of the 256 stands for itself where it is a visible character of Latin-1,
//! and is moved to a free code point from U+0100 on where it is not (`Ġ` is the space).

/// The character that stands for each byte.
pub(super) fn character_of(byte: u8) -> char {
    let code = match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => u32::from(byte),
        // The invisible bytes take 256, 257, ... in their order.
        0..=0x20 => 0x100 + u32::from(byte),
        0x7F..=0xA0 => 0x100 + 33 + u32::from(byte) - 0x7F,
        0xAD => 0x143,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Bytes as vocabulary files write them.
pub(super) fn written(bytes: &[u8]) -> String {
    bytes.iter().copied().map(character_of).collect()
}

/// The byte that a character stands for, if it is one of the 256.
pub(super) fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => u8::try_from(code).ok(),
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7F).ok(),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// Appends the bytes that `written` stands for. A text with any other character stands for its own UTF-8.
pub(super) fn push_bytes(written: &str, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    for character in written.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => {
                bytes.truncate(start);
                bytes.extend_from_slice(written.as_bytes());
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_a_bijection() {
        let mut seen = std::collections::HashSet::new();
        for byte in 0..=255 {
            let character = character_of(byte);
            assert!(seen.insert(character));
            assert_eq!(byte_of(character), Some(byte));
        }
        assert_eq!(character_of(b' '), 'Ġ');
        assert_eq!(character_of(b'\n'), 'Ċ');
        assert_eq!(character_of(0xAD), 'Ń');
        assert_eq!(byte_of(' '), None);
        assert_eq!(byte_of('語'), None);
    }

    #[test]
    fn a_text_outside_the_alphabet_is_its_own_bytes() {
        let mut bytes = Vec::new();
        push_bytes("Ġthe", &mut bytes);
        push_bytes("Ġ語", &mut bytes);
        assert_eq!(bytes, " theĠ語".as_bytes());
    }
}
