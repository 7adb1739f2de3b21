//! What goes well.

use amanuensis::model::Source;
use amanuensis::model::hub::Form;

use super::*;

#[test]
fn one_form_of_a_model_comes_into_the_cache_as_python_has_it() {
    let stage = Stage::new();
    assert_eq!(stage.hub().find("base").unwrap(), None);
    let pulled = stage.pull().unwrap();
    assert_eq!((pulled.commit.as_str(), pulled.form), (COMMIT, Form::Safetensors));
    assert_eq!(pulled.files, ["config.json", "tokenizer.json", "model.safetensors"]);
    assert_eq!(pulled.path, stage.snapshot());
    assert_eq!(read(&stage.snapshot().join("model.safetensors")), weights());
    assert_eq!(read(&stage.blob("model.safetensors")), weights());
    assert_eq!(read(&stage.repository().join("refs/main")), COMMIT.as_bytes());
    #[cfg(unix)]
    {
        let link = fs::read_link(stage.snapshot().join("config.json")).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(stage.played.checksum(BASE, "config.json")));
    }
    assert!(!stage.snapshot().join("README.md").exists() && !stage.snapshot().join("pytorch_model.bin").exists());
    assert!(stage.folder.path().join("hub/CACHEDIR.TAG").is_file());
    assert!(stage.folder.path().join("hub/.locks/models--openai--whisper-base").is_dir());
    // From here on nobody is asked any more.
    let connections = stage.played.connections();
    assert_eq!(stage.hub().find_or_pull("base", &mut go_on).unwrap(), Source::Path(stage.snapshot()));
    assert_eq!(stage.played.connections(), connections);
    // Asked to fetch it, the hub is asked where `main` is, and nothing comes.
    assert_eq!(stage.pull().unwrap().fetched, 0);
    assert_eq!(stage.played.connections(), connections + 1);
    // And asked to fetch it again, everything comes.
    assert!(stage.pull_as(BASE, &Wanted { again: true, ..Wanted::default() }).unwrap().fetched > 300_000);
}

#[test]
fn progress_goes_from_nothing_to_all() {
    let stage = Stage::new();
    let (mut plan, mut last) = (None, (0, 0));
    let name = HubName::parse("base").unwrap();
    let mut watch = |event: Event<'_>| {
        match event {
            Event::Plan { files, bytes, form, .. } => plan = Some((files, bytes, form)),
            Event::Progress { done, total, .. } => {
                assert!(done >= last.0 && done <= total, "{done} of {total} after {last:?}");
                last = (done, total);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    };
    stage.hub().pull(&name, &Wanted::default(), &mut watch).unwrap();
    let bytes = 300_000 + 25 + 2;
    assert_eq!((plan, last), (Some((3, bytes, Form::Safetensors)), (bytes, bytes)));
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let mut stage = Stage::new();
    with_token(&mut stage, "hf_secret");
    stage.pull().unwrap();
    let seen = stage.played.seen();
    let of = |server: &str| seen.iter().filter(|seen| seen.server == server).collect::<Vec<_>>();
    assert!(of("hub").iter().all(|seen| seen.header("authorization") == Some("Bearer hf_secret")));
    assert_eq!(of("store").len(), 1);
    assert!(of("store").iter().all(|seen| seen.header("authorization").is_none()));
    assert!(seen.iter().all(|seen| seen.header("user-agent").unwrap().starts_with("amanuensis/")));
}

#[test]
fn whoever_is_led_away_and_back_shows_no_token_any_more() {
    let mut stage = Stage::new();
    with_token(&mut stage, "hf_secret");
    let back = format!("{}/back", stage.played.endpoint);
    stage.played.fail(&stage.played.checksum(BASE, "model.safetensors"), played::Fault::Lead(back), 9);
    stage.pull().unwrap_err();
    assert_eq!(stage.played.seen_of("/back")[0].header("authorization"), None);
}

#[test]
fn a_new_commit_brings_only_what_is_new() {
    let stage = Stage::new();
    stage.pull().unwrap();
    let newer = "ab".repeat(20);
    stage.played.change(BASE, |repository| {
        repository.commit.clone_from(&newer);
        repository.files.get_mut("config.json").unwrap().content = br#"{"model_type": "whisper", "x": 1}"#.to_vec();
    });
    let pulled = stage.pull().unwrap();
    assert_eq!((pulled.commit.as_str(), pulled.fetched), (newer.as_str(), 33));
    assert_eq!(read(&stage.repository().join("refs/main")), newer.as_bytes());
    // Both are here, and share the weights.
    for commit in [COMMIT, &newer] {
        let path = stage.repository().join("snapshots").join(commit);
        assert_eq!(stage.hub().find(&format!("base@{commit}")).unwrap(), Some(Source::Path(path)));
    }
}

#[test]
fn an_index_says_which_files_come() {
    let stage = Stage::empty();
    let index = br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "odd-name.safetensors"}}"#;
    stage.played.add_files(
        BASE,
        &[
            ("config.json", b"{}"),
            ("vocab.json", b"{}"),
            ("merges.txt", b""),
            ("model.safetensors.index.json", index),
            ("model-00001-of-00002.safetensors", b"one"),
            ("model-00002-of-00002.safetensors", b"not named"),
            ("odd-name.safetensors", b"two"),
        ],
    );
    stage.pull().unwrap();
    assert_eq!(read(&stage.snapshot().join("odd-name.safetensors")), b"two");
    assert_eq!(read(&stage.snapshot().join("merges.txt")), b"");
    assert!(!stage.snapshot().join("model-00002-of-00002.safetensors").exists());
    assert_eq!(stage.hub().find("base").unwrap(), Some(Source::Path(stage.snapshot())));
}

#[test]
fn one_file_of_a_repository_is_a_model() {
    let stage = Stage::empty();
    let name = "ggerganov/whisper.cpp";
    stage
        .played
        .add_files(name, &[("ggml-base.bin", b"lmgg base"), ("ggml-tiny.bin", b"lmgg tiny"), ("README.md", b"")]);
    let error = stage.pull_as(name, &Wanted::default()).unwrap_err().to_string();
    assert!(error.contains("ggerganov/whisper.cpp:ggml-base.bin, ggerganov/whisper.cpp:ggml-tiny.bin"), "{error}");
    let one = "ggerganov/whisper.cpp:ggml-tiny.bin";
    let Source::Path(path) = stage.hub().find_or_pull(one, &mut go_on).unwrap() else { panic!("no path") };
    assert_eq!(read(&path), b"lmgg tiny");
    assert!(path.ends_with("ggml-tiny.bin") && !path.with_file_name("ggml-base.bin").exists());
    assert_eq!(stage.hub().find(one).unwrap(), Some(Source::Path(path)));
    let error = stage.hub().find_or_pull("ggerganov/whisper.cpp:ggml-x.bin", &mut go_on).unwrap_err().to_string();
    assert!(error.contains("no file ggml-x.bin"), "{error}");
}

#[test]
fn patterns_choose_the_weights() {
    let stage = Stage::empty();
    let files = [
        "onnx/encoder_model.onnx",
        "onnx/decoder_model.onnx",
        "onnx/encoder_model_int8.onnx",
        "onnx/decoder_model_int8.onnx",
    ];
    let mut all: Vec<(&str, &[u8])> = vec![("config.json", b"{}"), ("tokenizer.json", b"{}")];
    all.extend(files.map(|name| (name, name.as_bytes())));
    stage.played.add_files(BASE, &all);
    let wanted = Wanted { include: vec!["onnx/*_int8.onnx".to_owned()], again: false };
    let pulled = stage.pull_as(BASE, &wanted).unwrap();
    assert_eq!(pulled.files, ["config.json", "tokenizer.json", files[3], files[2]]);
    assert_eq!(read(&stage.snapshot().join(files[2])), files[2].as_bytes());
    // What is here is a model, in the form it is here.
    assert_eq!(stage.hub().find("base").unwrap(), Some(Source::Path(stage.snapshot())));
}

#[test]
fn revisions_with_slashes_have_references_in_folders() {
    let stage = Stage::new();
    stage.pull_as("base@refs/pr/1", &Wanted::default()).unwrap();
    assert_eq!(read(&stage.repository().join("refs/refs/pr/1")), COMMIT.as_bytes());
    assert_eq!(stage.hub().find("base@refs/pr/1").unwrap(), Some(Source::Path(stage.snapshot())));
    // A commit is its own name.
    let other = Stage::new();
    other.pull_as(&format!("base@{COMMIT}"), &Wanted::default()).unwrap();
    assert_eq!(fs::read_dir(other.repository().join("refs")).unwrap().count(), 0);
}

#[test]
fn a_mirror_that_lists_only_names_is_asked_for_each_file() {
    let stage = Stage::new();
    stage.played.change(BASE, |repository| repository.names_only = true);
    stage.pull().unwrap();
    assert_eq!(read(&stage.snapshot().join("model.safetensors")), weights());
    assert_eq!(stage.played.seen().iter().filter(|seen| seen.method == "HEAD").count(), 3);
}

#[test]
fn without_links_files_are_in_the_snapshot_themselves() {
    let mut stage = Stage::new();
    stage.settings.without_links = true;
    stage.pull().unwrap();
    let path = stage.snapshot().join("model.safetensors");
    assert!(!path.is_symlink());
    assert_eq!(read(&path), weights());
    assert!(stage.hub().list()[0].bytes < 310_000, "{}", stage.hub().list()[0].bytes);
    assert_eq!(stage.pull().unwrap().fetched, 0);
    // As Python leaves them: without blobs.
    fs::remove_dir_all(stage.repository().join("blobs")).unwrap();
    assert_eq!(stage.pull().unwrap().fetched, 0);
    assert_eq!(read(&path), weights());
}

#[test]
fn offline_nothing_is_asked() {
    let mut stage = Stage::new();
    stage.settings.offline = true;
    let error = stage.hub().find_or_pull("base", &mut go_on).unwrap_err().to_string();
    assert!(error.contains("nothing is fetched while offline") && error.contains("whisper-base"), "{error}");
    assert!(matches!(stage.pull(), Err(HubError::Offline { .. })));
    let name = HubName::parse("base").unwrap();
    assert!(matches!(stage.hub().remote(&name, &mut go_on), Err(HubError::Offline { .. })));
    assert_eq!(stage.played.connections(), 0);
}

#[test]
fn the_hub_is_asked_for_what_it_says_of_a_model() {
    let stage = Stage::new();
    let remote = stage.hub().remote(&HubName::parse("base").unwrap(), &mut go_on).unwrap();
    assert_eq!((remote.commit.as_str(), remote.license.as_deref()), (COMMIT, Some("mit")));
    assert_eq!((remote.files.len(), remote.bytes, remote.form), (3, Some(300_027), Some(Form::Safetensors)));
    assert!(!stage.repository().exists());
}
