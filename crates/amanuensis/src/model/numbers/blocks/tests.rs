use proptest::prelude::*;

use super::*;

/// A stream of numbers that looks like chance.
fn noise(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

/// Bytes of `blocks` blocks with harmless scales, whatever else is in them.
fn bytes_of(block: Block, blocks: usize) -> Vec<u8> {
    let mut next = noise(7);
    let mut bytes: Vec<u8> = (0..blocks * block.size()).map(|_| next() as u8).collect();
    let halves: &[usize] = match block {
        Block::Q4_0 | Block::Q5_0 | Block::Q8_0 => &[1],
        Block::Q4_1 | Block::Q5_1 | Block::Q4K | Block::Q5K => &[1, 3],
        Block::Q2K => &[81, 83],
        Block::Q3K => &[109],
        Block::Q6K => &[209],
        Block::Q8K => &[3],
    };
    for block in bytes.chunks_exact_mut(block.size()) {
        for place in halves {
            block[*place] = 0x2c | block[*place] & 0x81;
        }
    }
    bytes
}

/// Number `index` of a block, one bit after the other, straight from the layouts.
fn naive(block: Block, bytes: &[u8], index: usize) -> f32 {
    let bit = |byte: usize, bit: usize| f32::from(bytes[byte] >> bit & 1);
    let bits = |byte: usize, from: usize, count: usize| -> f32 {
        (0..count).map(|place| bit(byte, from + place) * (1 << place) as f32).sum()
    };
    let half = |byte: usize| half::f16::from_le_bytes([bytes[byte], bytes[byte + 1]]).to_f32();
    let nibble = |first: usize| bits(first + index % 16, 4 * (index / 16), 4);
    let fifth = |first: usize| 16.0 * bit(first + index / 8, index % 8);
    // Scale and lowest number of a part of 32 in Q4_K and Q5_K.
    let six = |part: usize| match part {
        0..4 => (bits(4 + part, 0, 6), bits(8 + part, 0, 6)),
        _ => (bits(8 + part, 0, 4) + 16.0 * bits(part, 6, 2), bits(8 + part, 4, 4) + 16.0 * bits(4 + part, 6, 2)),
    };
    let large_nibble = |first: usize| bits(first + index / 64 * 32 + index % 32, index / 32 % 2 * 4, 4);
    let two = |first: usize| bits(first + index / 128 * 32 + index % 32, index / 32 % 4 * 2, 2);
    match block {
        Block::Q4_0 => (nibble(2) - 8.0) * half(0),
        Block::Q4_1 => nibble(4) * half(0) + half(2),
        Block::Q5_0 => (nibble(6) + fifth(2) - 16.0) * half(0),
        Block::Q5_1 => (nibble(8) + fifth(4)) * half(0) + half(2),
        Block::Q8_0 => f32::from(bytes[2 + index] as i8) * half(0),
        Block::Q2K => half(80) * bits(index / 16, 0, 4) * two(16) - half(82) * bits(index / 16, 4, 4),
        Block::Q3K => {
            let part = index / 16;
            let scale = bits(96 + part % 8, part / 8 * 4, 4) + 16.0 * bits(104 + part % 4, part / 4 * 2, 2) - 32.0;
            half(108) * scale * (two(32) + 4.0 * bit(index % 32, index / 32) - 4.0)
        }
        Block::Q4K => half(0) * six(index / 32).0 * large_nibble(16) - half(2) * six(index / 32).1,
        Block::Q5K => {
            let whole = large_nibble(48) + 16.0 * bit(16 + index % 32, index / 32);
            half(0) * six(index / 32).0 * whole - half(2) * six(index / 32).1
        }
        Block::Q6K => {
            let low = bits(index / 128 * 64 + index % 64, index / 64 % 2 * 4, 4);
            half(208) * f32::from(bytes[192 + index / 16] as i8) * (low + 16.0 * two(128) - 32.0)
        }
        Block::Q8K => f32::from_le_bytes(*bytes.first_chunk().unwrap()) * f32::from(bytes[4 + index] as i8),
    }
}

#[test]
fn every_kind_is_read_as_its_layout_says_wherever_reading_begins() {
    for block in Block::ALL {
        let (length, size) = (block.length(), block.size());
        let bytes = bytes_of(block, 3);
        let all: Vec<f32> = (0..3 * length)
            .map(|index| naive(block, &bytes[index / length * size..][..size], index % length))
            .collect();
        assert_eq!(block.bytes(3 * length), Some(bytes.len()));
        for (start, end) in
            [(0, 3 * length), (1, 2), (5, length), (length - 1, length + 1), (length, 3 * length), (7, 7)]
        {
            let mut into = vec![f32::NAN; end - start];
            block.decode(&bytes[block.span(start..end)], start, &mut into);
            assert_eq!(into, all[start..end], "{block} {start}..{end}");
        }
    }
}

#[test]
fn blocks_are_full() {
    assert_eq!((Block::Q4_0.bytes(64), Block::Q4_0.bytes(63)), (Some(36), None));
    assert_eq!((Block::Q6K.bytes(512), Block::Q6K.bytes(32)), (Some(420), None));
    assert_eq!((Block::Q8_0.encode(&[1.0; 33]), Block::Q4K.encode(&[1.0; 256])), (None, None));
}

#[test]
fn numbers_become_the_bytes_that_ggml_makes_of_them() {
    let mut numbers = [0.0_f32; 32];
    numbers[..4].copy_from_slice(&[-4.0, 1.0, 0.26, -0.25]);
    // Scale 0.5, which is 0x3800; 1.0 is 2 above zero, 0.26 rounds to 1, -0.25 to nothing.
    let mut halves = [0x88; 16];
    halves[..4].copy_from_slice(&[0x80, 0x8a, 0x89, 0x88]);
    assert_eq!(Block::Q4_0.encode(&numbers).unwrap(), [&[0x00, 0x38][..], &halves].concat());
    numbers[0] = 127.0;
    numbers[31] = -0.5;
    let bytes = Block::Q8_0.encode(&numbers).unwrap();
    // Halves are rounded away from zero.
    assert_eq!((&bytes[..6], bytes[33]), (&[0x00, 0x3c, 127, 1, 0, 0][..], 0xff));
    for block in [Block::Q4_0, Block::Q4_1, Block::Q5_0, Block::Q5_1, Block::Q8_0] {
        let mut into = [f32::NAN; 32];
        block.decode(&block.encode(&[0.0; 32]).unwrap(), 0, &mut into);
        assert_eq!(into, [0.0; 32], "{block}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_within_a_step(numbers in prop::collection::vec(-3.0_f32..3.0, 64)) {
        for (block, steps) in
            [(Block::Q4_0, 8.0), (Block::Q4_1, 15.0), (Block::Q5_0, 16.0), (Block::Q5_1, 31.0), (Block::Q8_0, 127.0)]
        {
            let bytes = block.encode(&numbers).unwrap();
            prop_assert_eq!(block.bytes(numbers.len()), Some(bytes.len()));
            let mut again = vec![0.0; numbers.len()];
            block.decode(&bytes, 0, &mut again);
            for (numbers, again) in numbers.chunks(32).zip(again.chunks(32)) {
                let widest = if matches!(block, Block::Q4_1 | Block::Q5_1) { 6.0 } else { 3.0 };
                for (number, again) in numbers.iter().zip(again) {
                    // One level is missing on the side where the farthest number is not.
                    prop_assert!((number - again).abs() <= 1.01 * widest / steps, "{} {} {}", block, number, again);
                }
            }
        }
    }

    #[test]
    fn no_number_keeps_a_block_from_being_written(bits in prop::collection::vec(any::<u32>(), 32)) {
        let numbers: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        for block in Block::ALL {
            if let Some(bytes) = block.encode(&numbers) {
                prop_assert_eq!(bytes.len(), block.size());
            }
        }
    }
}
