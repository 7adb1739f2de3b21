//! What is kept: listed, verified, removed, bundled.

use amanuensis::model::Source;
use amanuensis_hub::Health;

use super::*;

fn health(stage: &Stage, name: &str) -> Vec<(String, Health)> {
    let seen = stage.hub().verify(&HubName::parse(name).unwrap(), true, &mut go_on).unwrap();
    seen.into_iter().map(|file| (file.file, file.health)).collect()
}

/// The model at two commits which share the weights.
fn with_two_commits() -> (Stage, String) {
    let stage = Stage::new();
    stage.pull().unwrap();
    let newer = "ab".repeat(20);
    stage.played.change(BASE, |repository| {
        repository.commit.clone_from(&newer);
        repository.files.get_mut("config.json").unwrap().content = br#"{"model_type": "whisper", "x": 1}"#.to_vec();
    });
    stage.pull().unwrap();
    (stage, newer)
}

#[test]
fn the_list_says_what_is_usable() {
    let (stage, newer) = with_two_commits();
    stage.played.add_files(
        "a/language-model",
        &[("config.json", br#"{"model_type": "llama"}"#), ("tokenizer.json", b"{}"), ("model.safetensors", b"x")],
    );
    stage.pull_as("a/language-model", &Wanted::default()).unwrap();
    let list = stage.hub().list();
    assert_eq!(
        list.iter().map(|model| (model.repository.as_str(), model.whisper)).collect::<Vec<_>>(),
        [("a/language-model", false), (BASE, true)]
    );
    let base = &list[1];
    assert_eq!(base.snapshots.iter().map(|snapshot| snapshot.commit.as_str()).collect::<Vec<_>>(), [COMMIT, &newer]);
    assert_eq!(base.snapshots[1].revisions, ["main"]);
    assert!(base.snapshots.iter().all(|snapshot| snapshot.usable && snapshot.files == 3));
    // The weights count once.
    assert!(base.bytes < 301_000 && base.snapshots[0].bytes > 300_000, "{}", base.bytes);
    fs::remove_file(stage.snapshot().join("tokenizer.json")).unwrap();
    let list = stage.hub().list();
    let snapshot = &list[1].snapshots[0];
    assert!(!snapshot.usable && snapshot.missing.as_ref().unwrap().contains("tokenizer.json"));
}

#[test]
fn verifying_finds_damage_and_cleaning_makes_room_for_what_is_whole() {
    let stage = Stage::new();
    stage.pull().unwrap();
    assert!(health(&stage, BASE).iter().all(|(_, health)| *health == Health::Sound));
    let mut content = weights();
    content[1000] ^= 1;
    fs::write(stage.blob("model.safetensors"), &content).unwrap();
    fs::remove_file(stage.blob("tokenizer.json")).unwrap();
    fs::write(stage.repository().join("blobs").join(format!("{}.incomplete", "cd".repeat(32))), "half").unwrap();
    let found = health(&stage, BASE);
    let of = |name: &str| found.iter().find(|(file, _)| file.contains(name)).map(|(_, health)| health.clone());
    assert!(
        matches!(of("model.safetensors"), Some(Health::Damaged { expected, .. }) if expected == stage.played.checksum(BASE, "model.safetensors"))
    );
    assert_eq!((of("config.json"), of("incomplete")), (Some(Health::Sound), Some(Health::Partial)));
    if cfg!(unix) {
        assert_eq!(of("tokenizer.json"), Some(Health::Broken));
    }
    let name = HubName::parse(BASE).unwrap();
    let seen = stage.hub().verify(&name, true, &mut go_on).unwrap();
    assert_eq!(stage.hub().clean(&name, &seen).unwrap().len(), 3);
    assert_eq!(stage.hub().find(BASE).unwrap(), None);
    stage.pull().unwrap();
    assert!(health(&stage, BASE).iter().all(|(_, health)| *health == Health::Sound));
    assert_eq!(read(&stage.snapshot().join("model.safetensors")), weights());
}

#[test]
fn copies_are_verified_by_the_blobs_beside_them() {
    let mut stage = Stage::new();
    stage.settings.without_links = true;
    stage.pull().unwrap();
    assert!(health(&stage, BASE).iter().all(|(_, health)| *health == Health::Sound));
    // As Python leaves them where there are no links: only in the snapshot.
    fs::remove_dir_all(stage.repository().join("blobs")).unwrap();
    assert!(health(&stage, BASE).iter().all(|(_, health)| *health == Health::Unproven));
}

#[test]
fn a_revision_goes_and_leaves_what_others_use() {
    let (stage, newer) = with_two_commits();
    let hub = stage.hub();
    let removal = hub.removal(&HubName::parse(&format!("base@{COMMIT}")).unwrap(), true).unwrap();
    assert_eq!(removal.bytes, 25);
    removal.perform().unwrap();
    assert!(!stage.snapshot().exists() && stage.blob("model.safetensors").exists());
    assert_eq!(hub.find(BASE).unwrap(), Some(Source::Path(stage.repository().join("snapshots").join(&newer))));
    // The last one takes the weights with it, and the reference.
    let removal = hub.removal(&HubName::parse("base@main").unwrap(), true).unwrap();
    assert!(removal.bytes > 300_000);
    removal.perform().unwrap();
    assert_eq!(fs::read_dir(stage.repository().join("blobs")).unwrap().count(), 0);
    assert!(!stage.repository().join("refs/main").exists());
}

#[test]
fn a_model_goes_with_everything_and_what_is_not_here_is_said() {
    let (stage, _) = with_two_commits();
    let name = HubName::parse("base").unwrap();
    stage.hub().removal(&name, false).unwrap().perform().unwrap();
    assert!(!stage.repository().exists());
    for error in
        [stage.hub().removal(&name, false).unwrap_err(), stage.hub().verify(&name, true, &mut go_on).unwrap_err()]
    {
        assert!(error.to_string().contains("openai/whisper-base is not in the cache"), "{error}");
    }
}

#[test]
fn what_is_being_fetched_does_not_go() {
    let stage = Stage::new();
    stage.pull().unwrap();
    let blob = stage.played.checksum(BASE, "config.json");
    fs::write(stage.partial("config.json"), "").unwrap();
    let path = stage.folder.path().join(format!("hub/.locks/models--openai--whisper-base/{blob}.lock"));
    let lock = fs::File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    let removal = stage.hub().removal(&HubName::parse(BASE).unwrap(), false).unwrap();
    assert!(removal.perform().unwrap_err().to_string().contains("being fetched by another process"));
    assert!(stage.hub().find(BASE).unwrap().is_some());
}

#[test]
fn one_file_of_several_goes() {
    let stage = Stage::empty();
    let name = "ggerganov/whisper.cpp";
    stage.played.add_files(name, &[("ggml-base.bin", b"base"), ("ggml-tiny.bin", b"tiny")]);
    for file in ["ggml-base.bin", "ggml-tiny.bin"] {
        stage.pull_as(&format!("{name}:{file}"), &Wanted::default()).unwrap();
    }
    let hub = stage.hub();
    hub.removal(&HubName::parse("ggerganov/whisper.cpp:ggml-base.bin").unwrap(), false).unwrap().perform().unwrap();
    assert_eq!(hub.find("ggerganov/whisper.cpp:ggml-base.bin").unwrap(), None);
    assert!(hub.find("ggerganov/whisper.cpp:ggml-tiny.bin").unwrap().is_some());
    assert_eq!(
        fs::read_dir(hub.list()[0].snapshots[0].folder.parent().unwrap().parent().unwrap().join("blobs"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn a_bundle_is_plain_files() {
    let stage = Stage::new();
    stage.pull().unwrap();
    let folder = stage.folder.path().join("bundle");
    fs::create_dir(&folder).unwrap();
    let copied = stage.hub().bundle(BASE, &stage.snapshot(), &folder, &mut go_on).unwrap();
    assert_eq!(copied.len(), 3);
    for (file, size) in &copied {
        let path = folder.join(file);
        assert!(!path.is_symlink() && path.metadata().unwrap().len() == *size, "{file}");
    }
    let error = stage.hub().bundle(BASE, &stage.snapshot(), &folder, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("something in it already"), "{error}");
    let mut leave = |_: Event<'_>| ControlFlow::Break(());
    let other = stage.folder.path().join("other");
    stage.hub().bundle(BASE, &stage.snapshot(), &other, &mut leave).unwrap_err();
    let left: Vec<_> = fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("other")), "{left:?}");
}
