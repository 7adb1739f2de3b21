//! Small graphs, whole and broken.

mod graphs;

use std::path::Path;

use proptest::prelude::*;

use super::data::Files;
use super::message::{self, Data, Tensor};
use super::whisper;
use super::{best, view};
use crate::model::{Dims, Encoding};
use graphs::{F32, Graph, I8, INNER, LAYERS, MEL, SCALE, STYLES, Style, TOKENS, WIDTH};
use graphs::{attribute, bytes, model, node, number, tensor, text, whole};

const DIMS: Dims = Dims {
    mel_bins: MEL,
    audio_context: 5,
    audio_width: WIDTH,
    audio_heads: 1,
    audio_layers: LAYERS,
    audio_feed_forward: INNER,
    text_context: 7,
    text_width: WIDTH,
    text_heads: 1,
    text_layers: LAYERS,
    text_feed_forward: INNER,
    vocabulary: TOKENS,
};

type Found = Vec<(String, Vec<usize>, Vec<f32>)>;

/// What is found in a file, with its numbers.
fn found(file: &[u8], of: fn(&view::View<'_>) -> Result<(), String>) -> Result<(), String> {
    let read = message::read(file)?;
    view::views(&read.graph).iter().try_for_each(of)
}

fn tensors(file: &[u8], is_encoder: bool) -> Result<Found, String> {
    let read = message::read(file)?;
    let views = view::views(&read.graph);
    let found = if is_encoder { best(&views, whisper::encoder) } else { best(&views, whisper::decoder) }?;
    let mut files = Files::new(Path::new("."), "m.onnx", file);
    let mut tensors = Vec::new();
    for (name, constant) in found {
        let (place, range, encoding) = constant.entry(&mut files)?;
        assert_eq!(place, 0);
        let shape = constant.shape();
        let numbers = if encoding.is_weight() {
            let count = shape.iter().product();
            assert_eq!(encoding.bytes(count), Some(range.len()), "{name}");
            read_numbers(&encoding, count, &file[range])
        } else {
            Vec::new()
        };
        tensors.push((name, shape, numbers));
    }
    Ok(tensors)
}

fn read_numbers(encoding: &Encoding, count: usize, bytes: &[u8]) -> Vec<f32> {
    match encoding {
        Encoding::Plain(_) => amanuensis_kernels::Stored::f32(bytes).to_vec(),
        coded => amanuensis_kernels::Stored::coded(coded, count, bytes).to_vec(),
    }
}

/// The usual two files: keys and values of the encoder's output are made by the decoder.
fn pair(style: Style) -> [Vec<u8>; 2] {
    let (mut encoder, mut decoder) = (Graph::new(style), Graph::new(style));
    encoder.encoder();
    let crossed = decoder.crossed("heard");
    decoder.decoder(&crossed);
    [model(&encoder.bytes()), model(&decoder.bytes())]
}

fn check(encoder: &[u8], decoder: &[u8]) {
    let [mut all, said] = [tensors(encoder, true).unwrap(), tensors(decoder, false).unwrap()];
    all.extend(said);
    for (name, shape) in DIMS.tensors() {
        let (_, found, numbers) = all.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(*found, shape, "{name}");
        let expected: Vec<f32> = (0..numbers.len()).map(|place| f32::from(whole(&name, place)) * SCALE).collect();
        assert_eq!(*numbers, expected, "{name}");
    }
    assert_eq!(all.len(), DIMS.tensors().len());
}

#[test]
fn tensors_are_found_by_what_is_done_with_them() {
    for style in STYLES {
        let [encoder, decoder] = pair(style);
        check(&encoder, &decoder);
    }
}

#[test]
fn keys_and_values_may_be_made_by_the_encoder() {
    for style in [Style::WrittenOut, Style::Dynamic] {
        let (mut encoder, mut decoder) = (Graph::new(style), Graph::new(style));
        let heard = encoder.encoder();
        let crossed = encoder.crossed(&heard);
        encoder.stacked(&crossed);
        let from_outside = std::array::from_fn::<_, LAYERS, _>(|_| ["keys".to_owned(), "values".to_owned()]);
        decoder.decoder(&from_outside);
        check(&model(&encoder.bytes()), &model(&decoder.bytes()));
    }
}

#[test]
fn merged_decoders_have_two_graphs_and_tensors_around_them() {
    let [mut with_past, mut without] = [Graph::new(Style::MatMul), Graph::new(Style::MatMul)];
    with_past.decoder(&std::array::from_fn::<_, LAYERS, _>(|_| ["keys".to_owned(), "values".to_owned()]));
    let crossed = without.crossed("heard");
    without.decoder(&crossed);
    let around: Vec<u8> = std::mem::take(&mut without.tensors).iter().flat_map(|tensor| bytes(5, tensor)).collect();
    let branches = [("then_branch", with_past.bytes()), ("else_branch", without.bytes())];
    let branches = branches.map(|(name, graph)| attribute(name, &bytes(6, &graph)));
    let graph = [bytes(1, &node("If", &["use_cache"], "logits", &branches)), around].concat();
    check(&pair(Style::MatMul)[0], &model(&graph));
}

#[test]
fn what_is_not_whispers_is_refused_with_a_reason() {
    let [encoder, decoder] = pair(Style::MatMul);
    let added = |nodes: &[Vec<u8>]| {
        let mut graph = Graph::new(Style::MatMul);
        graph.encoder();
        graph.nodes.extend_from_slice(nodes);
        tensors(&model(&graph.bytes()), true).unwrap_err()
    };
    let cases = [
        (tensors(&decoder, true).unwrap_err(), "not that of Whisper's encoder: 0 convolutions, 4 attentions"),
        (tensors(&encoder, false).unwrap_err(), "not that of Whisper's decoder: 2 attentions, 4 other linear layers"),
        (
            added(&[node("com.microsoft:MultiHeadAttention", &["x"], "y", &[])]),
            "its operation MultiHeadAttention of com.microsoft joins several of the model's",
        ),
        (
            added(&[node("DequantizeLinear", &["x", "s"], "y", &[attribute("block_size", &number(3, 32))])]),
            "share scales in blocks of several rows",
        ),
        (tensors(&model(&[]), true).unwrap_err(), "0 convolutions, 0 attentions"),
        (tensors(&number(1, 8), true).unwrap_err(), "there is no graph in it"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    }
}

#[test]
fn hostile_messages_are_refused() {
    let nothing = |_: &view::View<'_>| Ok(());
    let refused = |graph: &[u8]| found(&model(graph), nothing).unwrap_err();
    let deep = (0..20)
        .fold(Vec::new(), |graph, _| bytes(1, &node("If", &[], "", &[attribute("then_branch", &bytes(6, &graph))])));
    let cases = [
        (refused(&deep), "graphs within graphs, deeper than 6"),
        (refused(&bytes(1, &[]).repeat(400_001)), "more than 400000 nodes, names, tensors and settings"),
        (refused(&bytes(1, &text(1, "").repeat(400_001))), "more than 400000 nodes"),
        (refused(&bytes(5, &number(1, 1).repeat(400_001))), "more than 400000 nodes"),
        (refused(&bytes(1, &bytes(1, &[0xff]))), "the name at byte"),
        (refused(&bytes(5, &number(1, -1))), "an axis has the length -1"),
        (refused(&bytes(5, &bytes(13, &[text(1, "offset"), text(2, "x")].concat()))), "offset is \"x\""),
        (refused(&[0x0a, 0x7f]), "it is truncated"),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    }
}

#[test]
fn numbers_must_fill_their_shapes() {
    let located = |tensor: &[u8]| {
        let file = model(&bytes(5, tensor));
        let read = message::read(&file).unwrap();
        let mut files = Files::new(Path::new("."), "m.onnx", &file);
        let tensor = &read.graph.tensors[0];
        files.locate(tensor, super::data::count(&tensor.shape)).map(|found| found.range.len())
    };
    let refused = |tensor: &[u8], expected: &str| {
        let message = located(tensor).unwrap_err();
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
    };
    assert_eq!(located(&tensor("a", &[2, 3], F32, &[0; 24])), Ok(24));
    assert_eq!(located(&tensor("a", &[0, 3], F32, &[])), Ok(0));
    refused(&tensor("a", &[2, 3], F32, &[0; 23]), "tensor a: its shape [2, 3] of F32 does not fill its 23 bytes");
    refused(&tensor("a", &[1 << 40, 1 << 40], I8, &[]), "is beyond bounds");
    refused(&tensor("a", &[2], 22, &[0]), "its numbers are of kind 22, which is not read");
    refused(&[number(1, 2), number(2, F32), text(8, "a")].concat(), "tensor a: it has no numbers");
    let varints = [number(1, 1), number(2, I8), text(8, "a"), bytes(5, &[7])].concat();
    refused(&varints, "its numbers are a list of varints");
}

#[test]
fn data_outside_the_file_stays_inside_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("m.onnx"), "").unwrap();
    std::fs::write(folder.join("m.data"), [1; 12]).unwrap();
    std::fs::write(folder.join("sub/m.data"), [2; 12]).unwrap();
    std::fs::write(place.path().join("secret"), [3; 12]).unwrap();
    let at = |location: &str, offset: u64, length: Option<u64>| {
        let data = Data::External { location, offset, length };
        let tensor = Tensor { name: "a", shape: vec![2], kind: 1, data };
        let mut files = Files::new(&folder, "m.onnx", &[]);
        let found = files.locate(&tensor, Some(2)).map(|found| (found.file, found.range))?;
        Ok::<_, String>((found, files.into_others().len()))
    };
    assert_eq!(at("m.data", 4, Some(8)), Ok(((1, 4..12), 1)));
    assert_eq!(at("sub/m.data", 0, None), Ok(((1, 0..8), 1)));
    let outside = place.path().join("secret").display().to_string();
    for (location, offset, length, expected) in [
        ("../secret", 0, None, "no place in the model's folder"),
        ("sub/../../secret", 0, None, "no place in the model's folder"),
        (outside.as_str(), 0, None, "no place in the model's folder"),
        ("..\\secret", 0, None, "no place in the model's folder"),
        ("", 0, None, "no place in the model's folder"),
        ("absent", 0, None, "it cannot be read"),
        ("sub", 0, None, "it is not a regular file"),
        ("m.data", 5, None, "8 bytes at 5 of m.data, which has 12: it is truncated"),
        ("m.data", u64::MAX, Some(8), "it is truncated"),
        ("m.data", 0, Some(12), "its shape [2] of F32 does not fill its 12 bytes"),
    ] {
        let message = at(location, offset, length).unwrap_err();
        assert!(message.contains(expected), "{location}: {message:?} should say {expected:?}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("../secret", folder.join("link")).unwrap();
        let message = at("link", 0, None).unwrap_err();
        assert!(message.contains("a link to a place outside the model's folder"), "{message}");
        symlink("m.data", folder.join("inner")).unwrap();
        assert!(at("inner", 0, None).is_ok());
        // As in the store of Hugging Face's tools: the file itself is a link into the folder that the data is in too.
        std::fs::remove_file(folder.join("m.onnx")).unwrap();
        symlink("../secret", folder.join("m.onnx")).unwrap();
        assert!(at("link", 0, None).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn damage_is_refused_or_harmless(
        style in 0..STYLES.len(),
        is_encoder in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let [encoder, decoder] = pair(STYLES[style]);
        let mut file = if is_encoder { encoder } else { decoder };
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if cut.index(4) == 0 {
            file.truncate(cut.index(file.len()));
        }
        // What opens is read to the last number.
        let _ = tensors(&file, is_encoder);
    }
}
