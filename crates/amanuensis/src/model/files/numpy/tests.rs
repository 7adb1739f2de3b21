//! Arrays written byte by byte: whole ones, and those that lie or are cut off.

use proptest::prelude::*;

use super::arrays::{Placed, Scales};
use super::inflate::inflate;
use super::names::{Named, Names};
use super::npy::{self, Array};
use crate::model::files::laid::Tensors;
use crate::model::files::zip::tests::Maker;
use crate::model::files::{openai, zip};
use crate::model::{Dims, Dtype};

const DIMS: Dims = Dims {
    mel_bins: 80,
    audio_context: 6,
    audio_width: 8,
    audio_heads: 2,
    audio_layers: 2,
    audio_feed_forward: 16,
    text_context: 8,
    text_width: 8,
    text_heads: 2,
    text_layers: 2,
    text_feed_forward: 24,
    vocabulary: 30,
};

/// An array with this header, in version 1.
fn array(header: &str, numbers: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), numbers].concat()
}

fn reason(bytes: &[u8]) -> String {
    npy::read(bytes).unwrap_err()
}

#[test]
fn headers_of_all_versions_are_read() {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n";
    let expected = |start| Array { dtype: Dtype::F32, fortran: false, shape: vec![2, 3], start };
    let first = array(header, &[0; 24]);
    assert_eq!(npy::read(&first).unwrap(), expected(first.len() - 24));
    for version in [2, 3] {
        let length = (header.len() as u32).to_le_bytes();
        let bytes = [b"\x93NUMPY", &[version, 0][..], &length, header.as_bytes(), &[0; 24]].concat();
        assert_eq!(npy::read(&bytes).unwrap(), expected(bytes.len() - 24));
    }
    // The order of keys, the quotes and the spaces are free; Python 2 marked long numbers.
    let bytes = array("{\"shape\":(3L,),\"fortran_order\":True,\"descr\":\"|i1\"}", &[0; 3]);
    let expected = Array { dtype: Dtype::I8, fortran: true, shape: vec![3], start: bytes.len() - 3 };
    assert_eq!(npy::read(&bytes).unwrap(), expected);
    let single = array("{'descr':'<f2','fortran_order':False,'shape':()}", &[0; 2]);
    assert!(npy::read(&single).unwrap().shape.is_empty());
}

#[test]
fn headers_that_are_written_are_read() {
    for (dtype, shape) in [
        (Dtype::F32, &[2, 3][..]),
        (Dtype::F16, &[5]),
        (Dtype::I8, &[]),
        (Dtype::F32, &[0, 4]),
        (Dtype::F64, &[1, 1, 1]),
    ] {
        let header = npy::header(npy::descr(dtype).unwrap(), shape);
        assert!(header.len().is_multiple_of(64) && header.ends_with(b"\n"));
        let numbers = vec![0; shape.iter().product::<usize>() * dtype.size()];
        let read = npy::read(&[&header[..], &numbers].concat()).unwrap();
        assert_eq!(read, Array { dtype, fortran: false, shape: shape.to_vec(), start: header.len() });
    }
    assert_eq!(npy::descr(Dtype::BF16), None);
}

#[test]
fn headers_that_are_wrong_are_refused() {
    let with = |descr: &str, shape: &str| {
        array(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"), &[0; 4])
    };
    let header = |text: &str| reason(&array(text, &[]));
    let cases = [
        (reason(b""), "it does not begin as NumPy's arrays do"),
        (reason(b"\x93NUMPY\x01"), "it has 7 bytes, too few for its header: it is truncated"),
        (reason(b"\x93NUMPY\x04\x00\x00\x00"), "its version is 4, which is not known"),
        (
            reason(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
            "its header claims 4294967295 bytes, more than the limit of 10000",
        ),
        (reason(b"\x93NUMPY\x01\x00\x09\x00{}"), "too few for its header"),
        (reason(&with("'|O'", "(1,)")), "it holds Python objects, which NumPy reads by running code"),
        (reason(&with("'>f4'", "(1,)")), "its numbers (\">f4\") are big-endian; save it as \"<f4\""),
        (reason(&with("'|V2'", "(1,)")), "it holds \"|V2\", as bfloat16 is saved"),
        (reason(&with("'<c8'", "(1,)")), "it holds \"<c8\", which weights are not made of"),
        (reason(&with("'=f4'", "(1,)")), "it holds \"=f4\", which is no kind of numbers"),
        (reason(&with("'é'", "(1,)")), "which weights are not made of"),
        (reason(&with("''", "(1,)")), "it holds \"\""),
        (reason(&with("[('a', '<f4')]", "(1,)")), "a name in quotes is wanted, not \"[('a', '<f4')], 'for\""),
        (reason(&with("'<f4'", "(2,)")), "its shape [2] of F32 does not take the 4 bytes that follow"),
        (reason(&with("'<f4'", "(0,)")), "does not take the 4 bytes"),
        (reason(&with("'<f4'", "(4294967296, 4294967296)")), "does not take the 4 bytes"),
        (reason(&with("'<f4'", "(-1,)")), "a size is wanted, not \"-1,)"),
        (reason(&with("'<f4'", "(99999999999999999999,)")), "a size is wanted"),
        (reason(&with("'<f4'", "(1.0,)")), "')' is wanted before \".0,)"),
        (reason(&with("'<f4'", "1")), "'(' is wanted before \"1"),
        (reason(&with("'<f4'", "(1,1,1,1,1,1,1,1,1)")), "more than 8 axes"),
        (header("{'descr': '<f4', 'descr': '<f4'}"), "the key \"descr\" stands twice"),
        (header("{'descr': '<f4', 'fortran_order': False}"), "the key \"shape\" is not there"),
        (header("{'x': __import__('os').system('id')}"), "the key \"x\" is not known"),
        (header("{'descr': __import__('os')}"), "a name in quotes is wanted, not \"__import__('os')}"),
        (header("{'fortran_order': 0}"), "True or False is wanted, not \"0}"),
        (header("{'descr': '<f4'"), "'}' is wanted before \"\""),
        (header("{'descr': '\\x41'}"), "a name in quotes is wanted"),
        (header("[]"), "'{' is wanted before \"[]"),
        (header("{'descr': '<f4', 'fortran_order': True, 'shape': ()} or 1"), "something stands behind its end"),
    ];
    for (error, expected) in cases {
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
}

#[test]
fn names_are_known_in_all_spellings() {
    let names = Names::of(&DIMS);
    let ours = "encoder.layers.1.self_attn.q_proj.weight";
    for spelling in [
        ours,
        "model.encoder.layers.1.self_attn.q_proj.weight",
        "encoder/layers/1/self_attn/q_proj/weight",
        "encoder_layers_1_self_attn_q_proj_weight",
        "encoder.blocks.1.attn.query.weight",
        "layers_1_self_attn_q_proj_weight",
        "layers_1_self_attn_q_proj_weight_fp16",
        "layers_1_self_attn_q_proj_weight_int8",
        "blocks_1_attn_query_weight_f32",
    ] {
        assert_eq!(names.find(spelling), Named { tensor: ours.to_owned(), known: true, scale: false }, "{spelling}");
    }
    for spelling in [
        "layers_1_self_attn_q_proj_weight_scale",
        "encoder.layers.1.self_attn.q_proj.weight_scales",
        "layers_1_self_attn_q_proj_weight_int8_scale",
    ] {
        assert_eq!(names.find(spelling), Named { tensor: ours.to_owned(), known: true, scale: true }, "{spelling}");
    }
    assert_eq!(names.find("decoder_layers_0_fc1_bias").tensor, "decoder.layers.0.fc1.bias");
    assert_eq!(names.find("layer_norm_bias").tensor, "encoder.layer_norm.bias");
    assert_eq!(names.find("proj_out.weight").tensor, "proj_out.weight");
    for odd in ["layers_2_fc1_bias", "mel_filters", "x_scale", ""] {
        assert_eq!(names.find(odd), Named { tensor: odd.to_owned(), known: false, scale: false });
    }
    // No two tensors share a spelling.
    for (name, _) in DIMS.tensors() {
        for spelling in [name.clone(), openai::theirs(&name), name.replace('.', "_")] {
            assert_eq!(names.find(&spelling).tensor, name);
        }
    }
}

fn tensors(arrays: &[(&str, &[u8])]) -> Result<String, String> {
    let names = Names::of(&DIMS);
    let placed: Vec<_> = arrays.iter().map(|(name, bytes)| Placed::new(&names, name, bytes, 0..bytes.len())).collect();
    let (mut scales, mut tensors) = (Scales::default(), Tensors::default());
    placed.iter().try_for_each(|placed| scales.add(placed))?;
    placed.iter().try_for_each(|placed| scales.give(placed, &mut tensors))?;
    assert_eq!(scales.unused(), None);
    Ok(format!("{tensors:?}"))
}

#[test]
fn whole_numbers_go_with_their_scales() {
    let bytes = array("{'descr':'|i1','fortran_order':False,'shape':(2,3)}", &[1, 2, 3, 4, 5, 6]);
    let scale = |shape: &str, scales: &[f32]| {
        let numbers: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        array(&format!("{{'descr':'<f4','fortran_order':False,'shape':{shape}}}"), &numbers)
    };
    for (shape, scales, run) in
        [("(1,)", &[0.5][..], 6), ("()", &[0.5], 6), ("(2,)", &[0.5, 2.0], 3), ("(2,1)", &[0.5, 2.0], 3)]
    {
        let found = tensors(&[("conv1_weight_int8", &bytes), ("conv1_weight_scale", &scale(shape, scales))]).unwrap();
        assert!(found.contains(&format!("run: {run}, scales: {scales:?}")), "{found}");
    }
    let cases = [
        (scale("(3,)", &[1.0; 3]), "array encoder.conv1.weight: 3 scales for the shape [2, 3], expected 1 or 2"),
        (scale("(0,)", &[]), "0 scales for the shape [2, 3]"),
        (scale("(1,)", &[f32::NAN]), "the scale of encoder.conv1.weight: one is NaN"),
        (bytes.clone(), "the scale of encoder.conv1.weight: it holds I8, expected F32"),
        (b"no".to_vec(), "the scale of encoder.conv1.weight: it does not begin"),
    ];
    for (scale, expected) in cases {
        let error = tensors(&[("conv1_weight_int8", &bytes), ("conv1_weight_scale", &scale)]).unwrap_err();
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
    let good = scale("(1,)", &[1.0]);
    let error = tensors(&[("conv1_weight", &good), ("conv1_weight_scale", &good)]).unwrap_err();
    assert_eq!(error, "array encoder.conv1.weight: it holds F32 but has scales, which only I8 has");
    let error = tensors(&[("conv1_weight_int8", &bytes)]).unwrap_err();
    assert_eq!(error, "array encoder.conv1.weight: it holds I8, but no scale of it is there");
    assert!(tensors(&[("other", &bytes)]).is_ok());
    let error = tensors(&[("conv1_weight_scale", &good), ("conv1_weight_scales", &good)]).unwrap_err();
    assert_eq!(error, "the scale of encoder.conv1.weight: it stands twice");
}

#[test]
fn packed_arrays_are_unpacked_within_limits() {
    let contents = [7; 3000];
    // Raw deflate: one block that is stored.
    let packed = [&[1, 0xB8, 0x0B, 0x47, 0xF4][..], &contents].concat();
    let mut maker = Maker::default();
    maker.stored("a.npy", b"x").packed("b.npy", 8, &packed, &contents);
    let bytes = maker.finish();
    let members = zip::read(&bytes).unwrap();
    let (unpacked, places) = inflate(&bytes, &members).unwrap();
    assert_eq!((&unpacked[..], places.len(), places[0].clone()), (&contents[..], 1, 0..3000));

    let inflated = |packed: &[u8], method: u16, size: usize, crc: u32| {
        let bytes = Maker::default().packed("b.npy", method, packed, &contents).finish();
        let mut members = zip::read(&bytes).unwrap();
        (members[0].size, members[0].crc) = (size, crc);
        inflate(&bytes, &members).unwrap_err()
    };
    let crc = crc32fast::hash(&contents);
    for (error, expected) in [
        (inflated(&packed, 93, 3000, crc), "b.npy: it is packed by method 93; only deflate is read"),
        (inflated(&packed, 8, 3000, crc ^ 1), "b.npy: its contents are damaged, their CRC-32 is"),
        (inflated(&packed, 8, 3001, crc), "they unpack to 3000 bytes, not 3001"),
        (inflated(&packed, 8, 2999, crc), "they do not unpack to 2999 bytes"),
        (inflated(&packed[..100], 8, 3000, crc), "b.npy: its contents are damaged"),
        (inflated(&[0xFF; 9], 8, 3000, crc), "they do not unpack to 3000 bytes"),
        (
            inflated(&packed, 8, 2 << 20, crc),
            "it unpacks to 2097152 bytes, more than the limit of 16 times its size, 1048576",
        ),
        (inflated(&packed, 8, usize::MAX, crc), "it unpacks to 18446744073709551615 bytes"),
    ] {
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
}

proptest! {
    #[test]
    fn damaged_arrays_are_refused_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", &[0; 24]);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(40) / 8);
        if let Ok(array) = npy::read(&bytes) {
            let size = array.shape.iter().product::<usize>() * array.dtype.size();
            prop_assert_eq!(array.start + size, bytes.len());
        }
    }

    #[test]
    fn any_header_ends(header in "[{}():,'\"a-z0-9<|TFL _]{0,80}") {
        let _ = npy::read(&array(&header, &[0; 8]));
    }
}
