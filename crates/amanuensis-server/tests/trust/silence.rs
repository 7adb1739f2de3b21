//! A small file of a very long sound.

/// Hours of silence: every packet is 120 ms for which nothing was sent.
pub(crate) fn silent_opus(hours: u64) -> Vec<u8> {
    const PACKETS: u64 = 250;
    const SAMPLES: u64 = 5760;
    let mut file = page(2, 0, 0, &[b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"]);
    file.extend(page(0, 0, 1, &[b"OpusTags\x04\0\0\0none\0\0\0\0"]));
    let packets = vec![&[0x83_u8, 48][..]; PACKETS as usize];
    for number in 0..(hours * 3600 * 48_000).div_ceil(PACKETS * SAMPLES) {
        file.extend(page(0, (number + 1) * PACKETS * SAMPLES, number as u32 + 2, &packets));
    }
    file
}

/// A page of an Ogg file.
fn page(kind: u8, position: u64, number: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(kind);
    page.extend_from_slice(&position.to_le_bytes());
    page.extend_from_slice(b"test");
    page.extend_from_slice(&number.to_le_bytes());
    page.extend_from_slice(&[0; 4]);
    page.push(packets.len() as u8);
    page.extend(packets.iter().map(|packet| packet.len() as u8));
    packets.iter().for_each(|packet| page.extend_from_slice(packet));
    let sum = page.iter().fold(0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04c1_1db7 }
        })
    });
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}
