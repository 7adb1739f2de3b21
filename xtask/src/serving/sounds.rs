//! Sounds to send: the samples of the repository, and what is made of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Samples a second of every sound that is made here.
const RATE: usize = 16_000;
const HEADER: usize = 44;

/// A sample of the repository.
pub(crate) fn sample(name: &str) -> Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(name);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Samples one behind the other until there are so many seconds.
pub(crate) fn long(names: &[&str], seconds: usize) -> Result<Vec<u8>> {
    let mut data = samples(names, 0, seconds)?;
    let mut sound = wave_header(data.len() as u32);
    sound.append(&mut data);
    Ok(sound)
}

/// The same without a header, with pauses of so many seconds behind each sample.
pub(crate) fn samples(names: &[&str], pause: usize, seconds: usize) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    for name in names {
        let sample = sample(name)?;
        if sample.len() <= HEADER {
            bail!("the sample {name} is empty");
        }
        parts.push(sample[HEADER..].to_vec());
    }
    let bytes = seconds * RATE * 2;
    let mut data: Vec<u8> = Vec::with_capacity(bytes);
    for part in parts.iter().cycle() {
        if data.len() >= bytes {
            break;
        }
        data.extend_from_slice(part);
        data.resize(data.len() + pause * RATE * 2, 0);
    }
    data.truncate(bytes);
    Ok(data)
}

/// Seconds of a wave file of one of the samples.
pub(crate) fn seconds(wave: &[u8]) -> f64 {
    wave.len().saturating_sub(HEADER) as f64 / (2 * RATE) as f64
}

/// The head of a wave file with 16 kHz, one channel, 16 bits.
pub(crate) fn wave_header(bytes: u32) -> Vec<u8> {
    let mut head = b"RIFF".to_vec();
    head.extend_from_slice(&bytes.saturating_add(36).to_le_bytes());
    head.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    head.extend_from_slice(&(RATE as u32).to_le_bytes());
    head.extend_from_slice(&(2 * RATE as u32).to_le_bytes());
    head.extend_from_slice(b"\x02\0\x10\0data");
    head.extend_from_slice(&bytes.to_le_bytes());
    head
}

/// Hours of silence in a FLAC of some hundred kilobytes: every frame says one number for 65,535 samples.
pub(crate) fn silent_flac(hours: usize) -> Vec<u8> {
    const BLOCK: usize = 65_535;
    let mut file = b"fLaC\x80\0\0\x22".to_vec();
    file.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0]);
    // 16,000 Hz, one channel, 16 bits; how many samples there are is not said.
    let packed: u64 = (RATE as u64) << 44 | 15 << 36;
    file.extend_from_slice(&packed.to_be_bytes());
    file.extend_from_slice(&[0; 16]);
    for number in 0..(hours * 3600 * RATE).div_ceil(BLOCK) as u32 {
        // A block of a size given in 16 bits, a rate given in the header of the file, one channel, 16 bits.
        let mut frame = vec![0xff, 0xf8, 0x70, 0x08];
        frame.extend_from_slice(&utf8(number));
        frame.extend_from_slice(&(BLOCK as u16 - 1).to_be_bytes());
        frame.push(sum8(&frame));
        frame.extend_from_slice(&[0, 0, 0]);
        let sum = sum16(&frame);
        frame.extend_from_slice(&sum.to_be_bytes());
        file.extend_from_slice(&frame);
    }
    file
}

/// A number as FLAC counts frames: as UTF-8 writes characters.
fn utf8(number: u32) -> Vec<u8> {
    match number {
        0..=0x7f => vec![number as u8],
        0x80..=0x7ff => vec![0xc0 | (number >> 6) as u8, 0x80 | (number & 0x3f) as u8],
        _ => vec![0xe0 | (number >> 12) as u8, 0x80 | (number >> 6 & 0x3f) as u8, 0x80 | (number & 0x3f) as u8],
    }
}

fn sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum: u8, _| if sum & 0x80 == 0 { sum << 1 } else { sum << 1 ^ 0x07 })
    })
}

fn sum16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x8005 })
    })
}

/// Hours of silence in an Opus file of some megabytes: every packet is 120 ms that nothing was sent for.
pub(crate) fn silent_opus(hours: usize) -> Vec<u8> {
    const PACKETS: u64 = 250;
    // 48 frames of 2.5 ms are 120 ms.
    const SAMPLES: u64 = 5760;
    let mut file = page(2, 0, 0, &[b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"]);
    file.extend(page(0, 0, 1, &[b"OpusTags\x04\0\0\0none\0\0\0\0"]));
    // CELT, 2.5 ms, one channel, as many frames as the second byte says, all of the same length: none.
    let packet: &[u8] = &[0x83, 48];
    let pages = (hours as u64 * 3600 * 48_000).div_ceil(PACKETS * SAMPLES);
    for number in 0..pages {
        let is_last = number + 1 == pages;
        let packets = vec![packet; PACKETS as usize];
        let position = (number + 1) * PACKETS * SAMPLES;
        file.extend(page(if is_last { 4 } else { 0 }, position, number as u32 + 2, &packets));
    }
    file
}

/// A page of an Ogg file.
fn page(kind: u8, position: u64, number: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(kind);
    page.extend_from_slice(&position.to_le_bytes());
    page.extend_from_slice(b"xtsk");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sound_has_its_length() {
        let sound = long(&["english.wav", "german.wav"], 30).unwrap();
        assert_eq!((seconds(&sound), sound.len()), (30.0, HEADER + 960_000));
    }

    #[test]
    fn sums_are_those_of_the_formats() {
        // The check values that catalogues of these sums give for "123456789".
        assert_eq!(sum8(b"123456789"), 0xf4);
        assert_eq!(sum16(b"123456789"), 0xfee8);
    }

    #[test]
    fn a_day_of_silence_is_small() {
        assert!(silent_flac(24).len() < 1 << 19);
        assert!(silent_opus(24).len() < 3 << 20);
    }
}
