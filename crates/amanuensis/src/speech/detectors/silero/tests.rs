use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::audio::Recording;

/// What is in a file of Silero's own kind, with weights made by chance.
fn safetensors() -> Vec<u8> {
    let shapes: [(&str, &[usize]); 15] = [
        ("stft_conv.weight", &[258, 1, 256]),
        ("conv1.weight", &[128, 129, 3]),
        ("conv1.bias", &[128]),
        ("conv2.weight", &[64, 128, 3]),
        ("conv2.bias", &[64]),
        ("conv3.weight", &[64, 64, 3]),
        ("conv3.bias", &[64]),
        ("conv4.weight", &[128, 64, 3]),
        ("conv4.bias", &[128]),
        ("lstm_cell.weight_ih", &[512, 128]),
        ("lstm_cell.weight_hh", &[512, 128]),
        ("lstm_cell.bias_ih", &[512]),
        ("lstm_cell.bias_hh", &[512]),
        ("final_conv.weight", &[1, 128, 1]),
        ("final_conv.bias", &[1]),
    ];
    let (mut header, mut numbers) = (serde_json::Map::new(), Vec::<u8>::new());
    let mut state = 7u32;
    for (name, shape) in shapes {
        let start = numbers.len();
        for _ in 0..shape.iter().product() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            numbers.extend(((state >> 8) as f32 / (1 << 26) as f32 - 0.125).to_le_bytes());
        }
        let offsets = [start, numbers.len()];
        header.insert(name.into(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": offsets}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    [(header.len() as u64).to_le_bytes().to_vec(), header, numbers].concat()
}

fn refusal(bytes: &[u8]) -> String {
    let error = Silero::from_bytes("weights", bytes).expect_err("it is not whole");
    assert!(matches!(error, SpeechError::Weights { .. }));
    error.to_string()
}

#[test]
fn a_file_of_the_right_shapes_is_a_detector() {
    let silero = Silero::from_bytes("weights", &safetensors()).unwrap();
    let sound = Recording::from_samples(&vec![0.25; 70 * 512 + 1]);
    let found = silero.probabilities(&sound, Crew::ALONE, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(found.len(), 71);
    assert!(found.iter().all(|probability| (0.0..=1.0).contains(probability)));
    let result = silero.probabilities(&sound, Crew::ALONE, &mut |_| ControlFlow::Break(()));
    assert!(matches!(result, Err(SpeechError::Cancelled)));
    let nothing = silero.probabilities(&Recording::from_samples(&[]), Crew::ALONE, &mut |_| ControlFlow::Break(()));
    assert!(nothing.unwrap().is_empty());
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    assert!(refusal(b"").contains("weights: neither a ggml file nor a safetensors file"));
    assert!(refusal(b"RIFF and then something that is longer than this").contains("neither"));
    assert!(refusal(&vec![0; (LARGEST_FILE + 1) as usize]).contains("more than 16777216 bytes"));
    let whole = safetensors();
    assert!(refusal(&whole[..whole.len() - 1]).contains("does not fit"));
    assert!(refusal(&[whole.clone(), vec![0]].concat()).contains("follow its header"));
    let renamed = String::from_utf8_lossy(&whole[8..600]).replace("conv1.bias", "conv9.bias");
    assert!(refusal(&[&whole[..8], renamed.as_bytes(), &whole[600..]].concat()).contains("conv1.bias is not in it"));
    let mut poisoned = whole.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(refusal(&poisoned).contains("final_conv.bias has NaN at place 0"));
    assert!(refusal(b"lmgg\x07\0\0\0whisper").contains("not of Silero"));
    assert!(refusal(b"lmgg\xff\xff\xff\xff").contains("not of Silero"));
    assert!(refusal(b"lmgg\x0a\0\0\0silero-16k\x06\0\0\0\x02\0\0\0\0\0\0\0\0\x02").contains("ends at byte 32"));
    let error = Silero::open(Path::new("/no/such/file")).unwrap_err().to_string();
    assert!(error.contains("/no/such/file: cannot be read"), "{error}");
}

proptest! {
    #[test]
    fn heads_of_any_kind_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0usize..3) {
        let head: &[u8] = match start {
            0 => b"",
            1 => b"lmgg\x0a\0\0\0silero-16k",
            _ => b"\x40\0\0\0\0\0\0\0{\"conv1.bias\":",
        };
        let _ = Silero::from_bytes("weights", &[head, &bytes].concat());
    }
}
