//! Checkpoints written byte by byte: whole ones, and those that lie, attack or are cut off.

use proptest::prelude::*;

use super::checkpoint::{self, Checkpoint};
use super::pickle::{self, Value};
use super::{Fault, legacy};
use crate::model::ModelError;
use crate::model::files::zip::tests::Maker;

/// Writes pickles of version 2, as PyTorch does.
#[derive(Default, Clone)]
struct Steps(Vec<u8>);

impl Steps {
    fn new() -> Self {
        Self(vec![0x80, 2])
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    fn int(self, number: i32) -> Self {
        self.raw(b"J").raw(&number.to_le_bytes())
    }

    fn ints(self, numbers: &[i32]) -> Self {
        numbers.iter().fold(self.raw(b"("), |steps, number| steps.int(*number)).raw(b"t")
    }

    fn class(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    fn storage(self, kind: &str, key: &str, count: i32) -> Self {
        self.raw(b"(").text("storage").class("torch", kind).text(key).text("cpu").int(count).raw(b"tQ")
    }

    /// A tensor over a storage of so many f32.
    fn tensor(self, key: &str, count: i32, offset: i32, shape: &[i32], strides: &[i32]) -> Self {
        let steps = self.class("torch._utils", "_rebuild_tensor_v2").raw(b"(").storage("FloatStorage", key, count);
        let steps = steps.int(offset).ints(shape).ints(strides).raw(b"\x89");
        steps.class("collections", "OrderedDict").raw(b")RtR")
    }

    fn end(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// An archive with this pickle and storages.
fn archive(pickle: &[u8], storages: &[&[u8]]) -> Vec<u8> {
    let mut maker = Maker::default();
    maker.stored("m/data.pkl", pickle).stored("m/byteorder", b"little");
    for (key, storage) in storages.iter().enumerate() {
        maker.stored(&format!("m/data/{key}"), storage);
    }
    maker.finish()
}

fn said(fault: Fault) -> String {
    let error = fault.of("m.pt").to_string();
    assert!(error.starts_with("m.pt: "), "{error}");
    error
}

fn read(bytes: &[u8]) -> Result<Checkpoint, String> {
    checkpoint::read(bytes).map_err(said)
}

fn refused(bytes: &[u8]) -> String {
    read(bytes).err().expect("a refusal")
}

/// What is said of this pickle in an archive with one storage of 24 bytes.
fn refused_pickle(steps: Steps) -> String {
    refused(&archive(&steps.end(), &[&[0; 24]]))
}

const NAME: &str = "encoder.blocks.0.attn.query.weight";

fn one_tensor() -> Vec<u8> {
    let steps = Steps::new().raw(b"}(").text(NAME).tensor("0", 6, 0, &[2, 3], &[3, 1]).raw(b"u");
    archive(&steps.end(), &[&[7; 24]])
}

#[test]
fn tensors_are_found_under_our_names_where_they_lie() {
    let bytes = one_tensor();
    let Checkpoint { sizes, tensors } = read(&bytes).unwrap();
    assert!(sizes.is_none());
    let shown = format!("{tensors:?}");
    let start = bytes.windows(24).position(|window| window == [7; 24]).unwrap();
    assert!(shown.contains("encoder.layers.0.self_attn.q_proj.weight"), "{shown}");
    assert!(shown.contains(&format!("range: {start}..{}", start + 24)), "{shown}");
}

#[test]
fn wrappers_and_prefixes_are_taken_off() {
    for wrapper in ["state_dict", "model_state_dict"] {
        for name in [
            NAME,
            "model.model.encoder.layers.0.self_attn.q_proj.weight",
            "module.whisper.encoder.blocks.0.attn.query.weight",
        ] {
            let steps = Steps::new().raw(b"}(").text("epoch").int(3).text(wrapper);
            let steps = steps.class("collections", "OrderedDict").raw(b")R(").text(name);
            // A parameter, and what OrderedDict carries besides.
            let steps = steps.class("torch._utils", "_rebuild_parameter").raw(b"(").tensor("0", 6, 0, &[6], &[1]);
            let steps = steps.raw(b"\x88").class("collections", "OrderedDict").raw(b")RtRu");
            let steps = steps.raw(b"}").text("_metadata").raw(b"}sbu");
            let found = format!("{:?}", read(&archive(&steps.end(), &[&[0; 24]])).unwrap().tensors);
            assert!(found.contains("\"encoder.layers.0.self_attn.q_proj.weight\""), "{found}");
        }
    }
}

#[test]
fn sizes_are_read_and_named_where_they_are_absent() {
    let dims = |count: usize| {
        let names =
            ["n_mels", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer", "n_vocab", "n_text_ctx"];
        let names = names.into_iter().chain(["n_text_state", "n_text_head", "n_text_layer"]).take(count);
        let steps = Steps::new().raw(b"}(").text("dims").raw(b"}(");
        let steps = names.zip(80..).fold(steps, |steps, (name, size)| steps.text(name).int(size)).raw(b"u");
        let steps = steps.text("model_state_dict").raw(b"}(").text(NAME).tensor("0", 6, 0, &[6], &[1]).raw(b"uu");
        read(&archive(&steps.end(), &[&[0; 24]]))
    };
    let sizes = dims(10).unwrap().sizes.unwrap();
    assert_eq!((sizes.mel_bins, sizes.audio_width, sizes.text_layers, sizes.vocabulary), (80, 82, 89, 85));
    assert!(dims(9).err().unwrap().contains("its dims have no n_text_layer"));
    let negative = Steps::new().raw(b"}(").text("dims").raw(b"}(").text("n_mels").int(-80).raw(b"uu");
    assert!(refused_pickle(negative).contains("its n_mels is -80"));
}

#[test]
fn what_would_run_is_refused_by_name() {
    let command = |steps: Steps| steps.raw(b"(").text("touch /tmp/harm").raw(b"tR");
    let cases = [
        (command(Steps::new().class("os", "system")), "names os.system (GLOBAL)"),
        (command(Steps::new().class("posix", "system")), "names posix.system (GLOBAL)"),
        (command(Steps::new().class("builtins", "eval")), "names builtins.eval (GLOBAL)"),
        (Steps::new().class("__builtin__", "exec"), "names __builtin__.exec (GLOBAL)"),
        (Steps::new().class("torch.storage", "_load_from_bytes"), "names torch.storage._load_from_bytes (GLOBAL)"),
        (Steps::new().class("torch", "load"), "names torch.load (GLOBAL)"),
        (Steps::new().class("torch", "UntypedStorage"), "names torch.UntypedStorage (GLOBAL)"),
        (Steps::new().class("numpy.core.multiarray", "scalar"), "names numpy.core.multiarray.scalar (GLOBAL)"),
        (Steps::new().class("collections", "OrderedDict.update"), "names collections.OrderedDict.update (GLOBAL)"),
        (Steps::new().text("subprocess").text("Popen").raw(b"\x93"), "names subprocess.Popen (STACK_GLOBAL)"),
        (Steps::new().raw(b"(").text("id").raw(b"ios\nsystem\n"), "makes an object of os.system (INST)"),
        (Steps::new().raw(b"(").class("collections", "OrderedDict").raw(b"o"), "takes the step OBJ of OrderedDict"),
        (Steps::new().class("torch", "Size").raw(b")\x81"), "takes the step NEWOBJ of Size"),
        (Steps::new().class("torch", "Size").raw(b")}\x92"), "takes the step NEWOBJ_EX"),
        (Steps::new().raw(b"\x82\x01"), "takes the step EXT1"),
        (Steps::new().raw(b"\x83\x01\x00"), "takes the step EXT2"),
        (Steps::new().raw(b"\x84\x01\x00\x00\x00"), "takes the step EXT4"),
        (Steps::new().raw(b"Pid\n"), "takes the step PERSID"),
        (Steps::new().raw(b"\x97"), "takes the step NEXT_BUFFER"),
        (Steps::new().raw(b"\x8f"), "takes the step EMPTY_SET"),
        (Steps::new().text("f").raw(b")R"), "calls something that is no known function (REDUCE)"),
        (Steps::new().class("torch", "FloatStorage").raw(b")R"), "calls a kind of numbers as a function (REDUCE)"),
        (Steps::new().class("torch", "float16").raw(b")R"), "calls a kind of numbers as a function (REDUCE)"),
        (
            Steps::new().class("torch", "Size").raw(b"}").text("__setattr__").int(1).raw(b"sb"),
            "sets the state of something that is no map (BUILD)",
        ),
        (Steps::new().raw(b"}N}\x86b"), "sets the state of something that is no map (BUILD)"),
        (
            Steps::new().raw(b"(").text("module").text("m").text("source").raw(b"tQ"),
            "holds a whole module with its source code",
        ),
    ];
    for (steps, expected) in cases {
        let error = refused_pickle(steps);
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
        assert!(error.contains("can run any program"), "{error}");
    }
    // The same in the format before 1.6, and whatever stands behind it.
    let bytes = legacy_file(&command(Steps::new().class("os", "system")).end(), &[]);
    assert!(refused(&bytes).contains("names os.system (GLOBAL)"));
}

#[test]
fn pickles_that_break_the_rules_are_refused() {
    let deep = (0..300).fold(Steps::new(), |steps, _| steps.raw(b"("));
    let many = (0..140_000).fold(Steps::new(), |steps, _| steps.raw(b"]0"));
    let waiting = Steps::new().raw(&vec![b'N'; 270_000]);
    let kept = (0..270_000_u32).fold(Steps::new().raw(b"N"), |steps, key| steps.raw(b"r").raw(&key.to_le_bytes()));
    let cases = [
        (deep, "byte 258 of its pickle: lists 256 deep, which is the limit"),
        (many, "it builds more than 131072 lists, maps and tensors"),
        (waiting, "more than 262144 values wait to be put together"),
        (kept, "it keeps more than 262144 values"),
        (Steps::new().raw(b"X\xff\xff\xff\xff"), "a text of 4294967295 bytes, more than the limit of 1048576"),
        (Steps::new().raw(b"\x8d").raw(&[0xFF; 8]), "a text of 18446744073709551615 bytes"),
        (Steps::new().raw(b"X\x00\x00\x01\x00abc"), "65536 bytes are wanted, 4 are left: it is truncated"),
        (Steps::new().raw(b"X\x01\x00\x00\x00\xff"), "a text is not UTF-8"),
        (Steps::new().raw(b"\x8b\x00\x00\x01\x00"), "a number of 65536 bytes, more than the limit of 16"),
        (Steps::new().raw(b"h\x07"), "value 7 is asked for but was not kept"),
        (Steps::new(), "a value is wanted that is not there"),
        (Steps::new().raw(b"N(\x85"), "a tuple of values that are not there"),
        (Steps::new().raw(b"N(R"), "a value is wanted that is not there"),
        (Steps::new().raw(b"t"), "a list ends that has not begun"),
        (Steps::new().raw(b"NNa"), "something is appended to what is no list"),
        (Steps::new().raw(b"}(Nu"), "something is put into what is no map, or a key without a value"),
        (Steps::new().raw(b"\xff"), "there is no step 0xff"),
        (Steps::new().raw(b"cos"), "a line without an end"),
        (Steps::new().raw(b"Ieleven\n"), "\"eleven\" is no whole number"),
        (Steps::new().raw(b"Va\\u0041\n"), "has escapes, which are not read"),
        (Steps::new().raw(b"NN\x93"), "a class whose name is no text"),
        (
            Steps::new().class("torch._utils", "_rebuild_tensor_v2").raw(b")R"),
            "Tensor is made of 0 arguments that are not its",
        ),
        (Steps::new().raw(b"NQ"), "a storage is not named as PyTorch names storages"),
        (Steps::new().raw(b"N"), "it is no map from names to tensors"),
        (Steps::new().raw(b"}"), "no tensors are named in it"),
    ];
    for (steps, expected) in cases {
        let error = refused_pickle(steps);
        assert!(
            error.contains(expected) && error.contains("not a valid PyTorch checkpoint"),
            "{error:?} should say {expected:?}"
        );
    }
}

#[test]
fn values_that_hold_themselves_or_each_other_cost_nothing() {
    // A list of ten times the list before, thirty times over, and a map that holds itself.
    let mut steps = Steps::new().raw(b"}q\x00(").text("self").raw(b"h\x00").text("bomb").raw(b"]q\x01");
    for _ in 0..30 {
        steps = steps.raw(b"]q\x02(").raw(&b"h\x01".repeat(10)).raw(b"eq\x01");
    }
    let steps = steps.raw(&b"0".repeat(30)).raw(b"u");
    let steps = steps.raw(b"(").text(NAME).tensor("0", 6, 0, &[6], &[1]).raw(b"u");
    assert!(read(&archive(&steps.end(), &[&[0; 24]])).is_ok());
}

#[test]
fn every_version_of_the_language_says_the_same() {
    // The number 70000 and a text, as protocols 0 to 5 write them.
    for (bytes, expected) in [
        (&b"I70000\n."[..], Value::Int(70000)),
        (b"L70000L\n.", Value::Int(70000)),
        (b"J\x70\x11\x01\x00.", Value::Int(70000)),
        (b"\x80\x02\x8a\x03\x70\x11\x01.", Value::Int(70000)),
        (b"\x80\x02\x8a\x01\xff.", Value::Int(-1)),
        (b"\x80\x02\x8a\x00.", Value::Int(0)),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.", Value::Text("a")),
        (b"Va\np0\n0g0\n.", Value::Text("a")),
        (b"S'a'\n.", Value::Text("a")),
        (b"U\x01a.", Value::Text("a")),
        (b"B\x01\x00\x00\x00a.", Value::Text("a")),
        (b"B\x01\x00\x00\x00\xff.", Value::Nothing),
        (b"I01\n.", Value::Bool(true)),
        (b"G\x00\x00\x00\x00\x00\x00\x00\x00.", Value::Float),
        (b"F1.5\n.", Value::Float),
        (b"K\x01(K\x021.", Value::Int(1)),
        (b"K\x01(0.", Value::Int(1)),
        (b"K\x0120.", Value::Int(1)),
    ] {
        let pickle = pickle::read(bytes).unwrap();
        assert_eq!((pickle.root, pickle.length), (expected, bytes.len()), "{bytes:?}");
    }
}

#[test]
fn tensors_outside_of_their_storages_are_refused() {
    let tensor = |count, offset, shape: &[i32], strides: &[i32]| {
        let steps = Steps::new().raw(b"}(").text("t").tensor("0", count, offset, shape, strides).raw(b"u");
        refused(&archive(&steps.end(), &[&[0; 24]]))
    };
    let fit = "does not fit into its storage of 6 numbers";
    for (error, expected) in [
        (tensor(6, 0, &[7], &[1]), fit),
        (tensor(6, 1, &[2, 3], &[3, 1]), fit),
        (tensor(6, 0, &[2, 3], &[i32::MAX, i32::MAX]), fit),
        (tensor(6, i32::MAX, &[1], &[1]), fit),
        (tensor(6, 0, &[i32::MAX, i32::MAX, i32::MAX], &[0, 0, 0]), fit),
        (tensor(6, -1, &[1], &[1]), "a tensor's offset is -1, which is out of range"),
        (tensor(6, 0, &[-1], &[1]), "a tensor's size is -1"),
        (tensor(6, 0, &[2], &[-1]), "a tensor's stride is -1"),
        (tensor(6, 0, &[2, 3], &[1]), "2 axes but 1 strides"),
        (tensor(6, 0, &[1; 9], &[1; 9]), "a tensor has 9 axes"),
        (tensor(7, 0, &[7], &[1]), "storage 0 has 24 bytes, too few for its 7 numbers of F32"),
        (tensor(i32::MAX, 0, &[7], &[1]), "storage 0 has 24 bytes, too few"),
        (tensor(-6, 0, &[7], &[1]), "a tensor's count is -6"),
    ] {
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
    let absent = Steps::new().raw(b"}(").text("t").tensor("9", 6, 0, &[6], &[1]).raw(b"u");
    assert!(refused_pickle(absent).contains("storage 9 is not in it"));
}

#[test]
fn other_archives_are_told_from_checkpoints() {
    let pickle = Steps::new().raw(b"}").end();
    let cases = [
        (Maker::default().stored("m/x", b"").finish(), "there is no data.pkl in it"),
        (
            Maker::default().stored("a/data.pkl", &pickle).stored("b/data.pkl", &pickle).finish(),
            "more than one data.pkl",
        ),
        (
            Maker::default().stored("m/data.pkl", &pickle).stored("m/code/x.py", b"").finish(),
            "it is a TorchScript program",
        ),
        (
            Maker::default().stored("m/constants.pkl", b"").stored("m/data.pkl", &pickle).finish(),
            "it is a TorchScript program",
        ),
        (
            Maker::default().stored("m/data.pkl", &pickle).stored("m/byteorder", b"big").finish(),
            "its numbers are big-endian",
        ),
        (
            Maker::default().stored("m/data.pkl", &pickle).stored("m/byteorder", b"odd").finish(),
            "its byteorder is neither",
        ),
        (Maker::default().packed("m/data.pkl", 8, &pickle, &pickle).finish(), "m/data.pkl in it is compressed"),
        (
            Maker::default().stored("m/data.pkl", &pickle).packed("m/data/0", 12, b"", b"").finish(),
            "m/data/0 in it is compressed",
        ),
        (
            Maker::default().stored("m/data.pkl", &pickle).stored("../x", b"").finish(),
            "\"../x\" leads out of the archive",
        ),
    ];
    for (bytes, expected) in cases {
        let error = refused(&bytes);
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
    let mut damaged = one_tensor();
    let at = damaged.windows(7).position(|window| window == b"query.w").unwrap();
    damaged[at] = b'Q';
    assert!(refused(&damaged).contains("m/data.pkl: its contents are damaged, their CRC-32 is"));
}

fn pickled(steps: Steps) -> Vec<u8> {
    steps.end()
}

/// A file of the format before 1.6 with this pickle and storages of f32.
fn legacy_file(pickle: &[u8], storages: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
    bytes.extend(pickled(Steps::new().int(1001)));
    bytes.extend(pickled(Steps::new().raw(b"}(").text("little_endian").raw(b"\x88u")));
    bytes.extend(pickle);
    let keys = (0..storages.len()).fold(Steps::new().raw(b"]("), |steps, key| steps.text(&key.to_string()));
    bytes.extend(pickled(keys.raw(b"e")));
    for storage in storages {
        bytes.extend((storage.len() as u64 / 4).to_le_bytes());
        bytes.extend(*storage);
    }
    bytes
}

fn legacy_pickle() -> Vec<u8> {
    let steps = Steps::new().raw(b"}(").text("a").tensor("0", 6, 0, &[2, 3], &[3, 1]);
    pickled(steps.text("b").tensor("1", 1, 0, &[], &[]).raw(b"u"))
}

#[test]
fn the_old_format_is_read_and_its_lies_are_refused() {
    let whole = legacy_file(&legacy_pickle(), &[&[7; 24], &[8; 4]]);
    assert!(legacy::is_legacy(&whole) && !legacy::is_legacy(&one_tensor()));
    let found = format!("{:?}", read(&whole).unwrap().tensors);
    let start = whole.windows(24).position(|window| window == [7; 24]).unwrap();
    assert!(found.contains(&format!("range: {start}..{}", start + 24)), "{found}");
    assert!(found.contains(&format!("range: {}..{}", start + 32, start + 36)), "{found}");

    let changed = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).expect("what is to be changed");
        let mut bytes = whole.clone();
        bytes.splice(at..at + from.len(), to.iter().copied());
        refused(&bytes)
    };
    let seven = &[6, 0, 0, 0, 0, 0, 0, 0, 7];
    for (error, expected) in [
        (changed(&1001_i32.to_le_bytes(), &1002_i32.to_le_bytes()), "its version is Int(1002), not 1001"),
        (changed(b"\x88u", b"\x89u"), "not said to be little-endian"),
        (changed(seven, &[9, 0, 0, 0, 0, 0, 0, 0, 7]), "storage 0 has 9 numbers where 6 are wanted"),
        (changed(b"1e.", b"2e."), "storage 2 in its list belongs to no tensor"),
        (changed(b"1e.", b"0e."), "storage 0 has 1 numbers where 6 are wanted"),
        (changed(b"X\x01\x00\x00\x001e.", b"e."), "storage 1 is not in its list"),
        (changed(b"](X\x01\x00\x00\x000X\x01\x00\x00\x001e.", b"}."), "the list of its storages is no list"),
        (refused(&[&whole[..], b"x"].concat()), "1 bytes at its end belong to no storage"),
        (
            refused(&whole[..whole.len() - 1]),
            "storage 1 has 1 numbers of F32, but only 3 bytes follow: the file is truncated",
        ),
        (refused(&whole[..whole.len() - 6]), "storage 1 is not there: the file is truncated"),
        (changed(b"FloatStorage", b"HalfStorage"), "numbers where 1 are wanted"),
    ] {
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
    }
    let parts = Steps::new().raw(b"(").text("storage").class("torch", "FloatStorage").text("0").text("cpu").int(6);
    let parts = parts.raw(b"(").text("1").int(0).int(6).raw(b"ttQ");
    let error = refused(&legacy_file(&pickled(parts), &[&[0; 24]]));
    assert!(error.contains("storage 0 is a part of another, as PyTorch before 0.4 wrote it"), "{error}");
    let two = Steps::new().storage("FloatStorage", "0", 6).storage("HalfStorage", "0", 6);
    assert!(refused(&legacy_file(&pickled(two), &[&[0; 24]])).contains("storage 0 is said to be of two kinds"));
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    for whole in [one_tensor(), legacy_file(&legacy_pickle(), &[&[7; 24], &[8; 4]])] {
        assert!(read(&whole).is_ok());
        for length in 0..whole.len() {
            let error = refused(&whole[..length]);
            assert!(!error.contains("can run"), "cut at {length}: {error}");
        }
    }
}

proptest! {
    #[test]
    fn damaged_checkpoints_are_refused_or_harmless(
        which in 0..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = if which == 0 { one_tensor() } else { legacy_file(&legacy_pickle(), &[&[7; 24], &[8; 4]]) };
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(Checkpoint { tensors, .. }) = checkpoint::read(&bytes) {
            let mut weights = crate::model::Weights::new("m".to_owned(), "t");
            let place = crate::model::fingerprint::Place::Embedded(&[]);
            if let Ok(()) = tensors.add_to(&mut weights, "m", place, crate::model::bytes::Bytes::Unpacked(bytes)) {
                for name in weights.names().map(str::to_owned).collect::<Vec<_>>() {
                    prop_assert!(weights.get(&name).is_some(), "{} lies outside", name);
                }
            }
        }
    }

    #[test]
    fn any_steps_end(steps in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = pickle::read(&steps);
    }

    /// Steps that exist, with few values, so that they go on.
    #[test]
    fn likely_steps_end(
        steps in prop::collection::vec(prop::sample::select(&b"(0NK\x01]})\x85\x86\x87taeuslbRQq\x00h\x00.12X\x01\x00\x00\x00\x88J"[..]), 0..300)
    ) {
        let _ = pickle::read(&steps);
    }
}

#[test]
fn errors_are_of_the_kind_that_says_what_to_do() {
    assert!(matches!(Fault::Executable("x".into()).of("f"), ModelError::Executable { .. }));
    assert!(matches!(Fault::Broken("x".into()).of("f"), ModelError::Container { .. }));
    assert!(matches!(Fault::Unsupported("x".into(), "y").of("f"), ModelError::Unsupported { .. }));
}
