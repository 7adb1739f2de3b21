use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;

use super::*;
use crate::jobs::Job;

const KEEPING: Keeping = Keeping { seconds: 1000.0, sound: 100, result: 1000 };

/// A store in a folder of its own, and a clock that is set by hand.
struct Place {
    folder: tempfile::TempDir,
    clock: Arc<AtomicI64>,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), clock: Arc::new(AtomicI64::new(10_000)) }
    }

    fn open(&self) -> Store {
        self.try_open().unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_open(&self) -> Result<Store, StoreError> {
        let clock = Arc::clone(&self.clock);
        Store::open_by(self.folder.path(), KEEPING, Box::new(move || clock.load(Ordering::Relaxed)))
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    fn sounds(&self) -> usize {
        sounds::folder(self.folder.path()).read_dir().unwrap().count()
    }
}

fn sound(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    file
}

fn new<'a>(client: &'a str, sound: &'a File) -> NewJob<'a> {
    let (name, webhook_url, idempotency_key) = (Some("a.wav"), None, None);
    NewJob { client, sound, name, model: "demo", fields: &[], webhook_url, duration: 10.0, idempotency_key }
}

fn add(store: &Store, client: &str) -> Job {
    match store.add(&new(client, &sound(b"sound"))).unwrap_or_else(|error| panic!("{error}")) {
        Added::New(job) => job,
        known => panic!("{known:?}"),
    }
}

fn take(store: &Store) -> Option<Job> {
    store.take().unwrap().map(|taken| taken.job)
}

fn ids(store: &Store, filter: &Filter<'_>) -> Vec<String> {
    store.list(filter).unwrap().jobs.into_iter().map(|job| job.id).collect()
}

const ALL: Filter<'_> = Filter { client: None, status: None, after: None, limit: 100 };

#[test]
fn a_job_is_kept_with_its_sound_for_its_client_only() {
    let place = Place::new();
    let fields =
        [("prompt".to_owned(), "é".to_owned()), ("a[]".to_owned(), "1".to_owned()), ("a[]".to_owned(), "2".to_owned())];
    let id = {
        let store = place.open();
        let file = sound(b"these bytes");
        let Added::New(job) = store.add(&NewJob { fields: &fields, ..new("me", &file) }).unwrap() else { panic!() };
        job.id
    };
    let store = place.open();
    let job = store.get(Some("me"), &id).unwrap();
    assert_eq!((job.status, job.fields.as_slice(), job.created_at), (Status::Queued, fields.as_slice(), 10_000));
    let object = job.object();
    assert_eq!(object["options"], json!({ "prompt": "é", "a[]": ["1", "2"] }));
    assert_eq!(
        (&object["status"], &object["expires_at"], &object["error"]),
        (&json!("queued"), &json!(null), &json!(null))
    );
    let mut bytes = String::new();
    std::io::Read::read_to_string(&mut store.sound(&job).unwrap().unwrap(), &mut bytes).unwrap();
    assert_eq!(bytes, "these bytes");
    assert!(matches!(store.get(Some("other"), &id), Err(StoreError::Unknown { .. })));
    assert!(matches!(store.cancel(Some("other"), &id), Err(StoreError::Unknown { .. })));
    assert!(store.get(None, &id).is_ok());
    assert_eq!(ids(&store, &Filter { client: Some("other"), ..ALL }).len(), 0);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let folder = place.folder.path().join("data");
    let store = Store::open(&folder, KEEPING).unwrap();
    let job = add(&store, "me");
    let mode = |path: PathBuf| std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.clone()), 0o700);
    assert_eq!(mode(folder.join("uploads")), 0o700);
    for file in ["uploads/".to_owned() + &job.id, "jobs.db".to_owned(), "jobs.db-wal".to_owned()] {
        assert_eq!(mode(folder.join(&file)), 0o600, "{file}");
    }
}

#[test]
fn the_same_request_twice_is_one_job() {
    let place = Place::new();
    let store = place.open();
    let (one, other) = (sound(b"one"), sound(b"other"));
    let keyed = |file| NewJob { idempotency_key: Some("key"), ..new("me", file) };
    let Added::New(job) = store.add(&keyed(&one)).unwrap() else { panic!() };
    assert_eq!(store.add(&keyed(&one)).unwrap(), Added::Known(job.clone()));
    let conflict = |result: Result<Added, StoreError>| matches!(result, Err(StoreError::OtherRequest));
    assert!(conflict(store.add(&keyed(&other))));
    assert!(conflict(store.add(&NewJob { model: "large", ..keyed(&one) })));
    assert!(conflict(store.add(&NewJob { fields: &[("language".to_owned(), "de".to_owned())], ..keyed(&one) })));
    let theirs = store.add(&NewJob { client: "them", ..keyed(&other) }).unwrap();
    assert!(matches!(theirs, Added::New(_)), "a key is a client's own");
    assert_eq!((ids(&store, &ALL).len(), place.sounds()), (2, 2));
}

#[test]
fn the_same_request_at_the_same_time_is_one_job() {
    let place = Place::new();
    let store = place.open();
    let added = |_| {
        let file = sound(&[7; 1 << 20]);
        match store.add(&NewJob { idempotency_key: Some("key"), ..new("me", &file) }).unwrap() {
            Added::New(job) | Added::Known(job) => job.id,
        }
    };
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || added(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(place.sounds(), 1);
}

#[test]
fn there_is_room_for_so_many_seconds() {
    let place = Place::new();
    let store = place.open();
    let file = sound(b"x");
    let long = |duration| store.add(&NewJob { duration, ..new("me", &file) });
    let Added::New(first) = long(900.0).unwrap() else { panic!() };
    assert!(matches!(long(101.0), Err(StoreError::Full { queued: 900.0, .. })));
    long(100.0).unwrap();
    let error: ApiError = long(1.0).unwrap_err().into();
    assert_eq!((error.status.as_u16(), error.code, error.retry_after), (429, Some("queue_full"), Some(1000)));
    assert_eq!(place.sounds(), 2);
    store.cancel(None, &first.id).unwrap();
    long(900.0).unwrap();
}

#[test]
fn pages_go_from_the_newest_to_the_oldest_whatever_the_clock_says() {
    let place = Place::new();
    let store = place.open();
    let mut all = Vec::new();
    for number in 0..7 {
        all.insert(0, add(&store, if number % 2 == 0 { "me" } else { "them" }).id);
        place.pass(-1000);
    }
    assert_eq!(ids(&store, &ALL), all);
    let first = store.list(&Filter { limit: 3, ..ALL }).unwrap();
    assert!(first.has_more);
    let rest = store.list(&Filter { limit: 4, after: Some(&first.jobs[2].id), ..ALL }).unwrap();
    assert!(!rest.has_more);
    assert_eq!(rest.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), all[3..]);
    store.cancel(None, &all[1]).unwrap();
    assert_eq!(ids(&store, &Filter { status: Some(Status::Cancelled), ..ALL }), all[1..2]);
    let theirs = Filter { client: Some("me"), after: Some(&all[1]), ..ALL };
    assert!(matches!(store.list(&theirs), Err(StoreError::Unknown { .. })), "that job is not theirs");
    assert_eq!(take(&store).unwrap().id, all[6], "the oldest first");
}

#[test]
fn clients_take_turns_and_each_has_its_oldest_first() {
    let place = Place::new();
    let store = place.open();
    let greedy: Vec<String> = (0..4).map(|_| add(&store, "greedy").id).collect();
    let modest: Vec<String> = (0..2).map(|_| add(&store, "modest").id).collect();
    let mut order = Vec::new();
    while let Some(job) = take(&store) {
        store.finish(job.number, &json!({})).unwrap().unwrap();
        order.push(job.id);
    }
    let [a, b, c, d] = &greedy[..] else { panic!() };
    assert_eq!(order, [a, &modest[0], b, &modest[1], c, d].map(String::clone));
    // Several at once.
    let (many, one) = ([0; 3].map(|_| add(&store, "greedy").id), add(&store, "modest").id);
    let order: Vec<String> = std::iter::from_fn(|| take(&store)).map(|job| job.id).collect();
    assert_eq!(order[..3], [one, many[0].clone(), many[1].clone()]);
}

fn saved(segments: usize) -> Saved {
    let saved = json!({
        "version": 1, "of": { "samples": 1, "strands": 1, "frames": 1, "options": "" }, "language": "en", "languages": [],
        "contexts": { "windows": segments, "positions": 0, "shortened": 0, "repeated": 0 },
        "ran": { "devices": [], "windows": 0, "positions": 0, "tokens": 0 }, "over": [], "strands": [], "segments": [],
    });
    serde_json::from_value(saved).unwrap()
}

fn segment(id: usize) -> Segment {
    Segment { id, text: format!(" {id}"), ..Segment::default() }
}

fn step(store: &Store, number: i64, count: usize) -> bool {
    let (saved, segments) = (saved(count), [segment(count)]);
    let step =
        Step { saved: &saved, before: count, segments: &segments, processed: count as f64, language: Some("en") };
    store.step(number, &step).unwrap()
}

use amanuensis::{Saved, Segment};

#[test]
fn what_was_done_is_gone_on_with() {
    let place = Place::new();
    let number = {
        let store = place.open();
        add(&store, "me");
        let job = take(&store).unwrap();
        assert!(step(&store, job.number, 0) && step(&store, job.number, 1));
        job.number
    };
    place.pass(-5000);
    let store = place.open();
    add(&store, "me");
    let taken = store.take().unwrap().unwrap();
    assert_eq!((taken.job.number, taken.job.processed, taken.job.language.as_deref()), (number, 1.0, Some("en")));
    assert_eq!(taken.job.started_at, Some(10_000));
    let mut expected = saved(1);
    expected.segments = vec![segment(0), segment(1)];
    assert_eq!(taken.saved.unwrap(), expected);
    assert_eq!(store.segments(number, 0).unwrap().len(), 2);
    store.put_back(number).unwrap();
    assert!(!step(&store, number, 2), "it does not run");
    assert_eq!(store.take().unwrap().unwrap().job.number, number, "what was begun comes first");
    let job = store.finish(number, &json!({ "transcript": { "language": "de" }, "text": "x" })).unwrap().unwrap();
    assert_eq!((job.status, job.processed, job.language.as_deref()), (Status::Succeeded, 10.0, Some("de")));
    assert!(job.finished_at >= job.started_at && job.started_at >= Some(job.created_at));
    assert_eq!(store.result(number).unwrap().unwrap()["text"], "x");
    assert!(store.segments(number, 0).unwrap().is_empty());
    assert!(store.finish(number, &json!({})).unwrap().is_none(), "once is enough");
}

#[test]
fn progress_that_does_not_read_is_begun_anew() {
    let place = Place::new();
    let store = place.open();
    let job = add(&store, "me");
    take(&store).unwrap();
    step(&store, job.number, 0);
    store.connection().execute("UPDATE progress SET saved = '{'", []).unwrap();
    store.put_back(job.number).unwrap();
    assert!(store.take().unwrap().unwrap().saved.is_none());
    store.begin_anew(job.number).unwrap();
    assert!(step(&store, job.number, 0), "its segments have their places again");
}

/// Takes a job and begins to work on it.
fn begin(store: &Store) -> Option<Job> {
    let job = take(store)?;
    assert!(store.begin(job.number).unwrap());
    Some(job)
}

#[test]
fn a_job_that_kills_the_process_is_given_up_and_others_are_not() {
    let place = Place::new();
    let (bad, good) = {
        let store = place.open();
        (add(&store, "me").id, add(&store, "me").id)
    };
    for death in 0..5 {
        let store = place.open();
        let both = [begin(&store), begin(&store)].map(|job| job.unwrap().id);
        assert_eq!(both, [&bad, &good].map(String::clone), "{death}");
    }
    // Either may be the one. The good one is tried alone after its rest, and comes further.
    let store = place.open();
    assert!(take(&store).is_none());
    place.pass(5);
    let first = begin(&store).unwrap();
    assert!(first.id == bad && take(&store).is_none(), "it is alone");
    store.put_back(first.number).unwrap();
    store.connection().execute("UPDATE jobs SET status = 'cancelled' WHERE id = ?1", [&bad]).unwrap();
    let other = begin(&store).unwrap();
    assert!(other.id == good && step(&store, other.number, 0));
    store.put_back(other.number).unwrap();
    store.connection().execute("UPDATE jobs SET status = 'queued' WHERE id = ?1", [&bad]).unwrap();
    drop(store);
    for seconds in [5, 10, 20, 40, 80] {
        let store = place.open();
        place.pass(seconds - 1);
        let other = begin(&store).unwrap();
        assert_eq!(other.id, good, "meanwhile the others have their turns");
        store.put_back(other.number).unwrap();
        place.pass(1);
        assert_eq!(begin(&store).unwrap().id, bad, "after {seconds} s");
    }
    let store = place.open();
    let job = store.get(None, &bad).unwrap();
    assert_eq!((job.status, job.error.unwrap()["code"].as_str()), (Status::Failed, Some("crashed")));
    assert_eq!(begin(&store).unwrap().id, good);
    let third = add(&store, "them").id;
    assert_eq!(take(&store).unwrap().id, third, "whoever came further is not suspected");
}

#[test]
fn kills_that_are_not_the_jobs_doing_lose_nothing() {
    let place = Place::new();
    add(&place.open(), "me");
    // Before its sound is worked on, and in the rests.
    for _ in 0..40 {
        assert!(take(&place.open()).is_some());
    }
    for kill in 0..40 {
        assert_eq!(begin(&place.open()).is_some(), kill < 5, "as quick as you like");
    }
    // A clock that is set back makes the rest begin anew, and no longer.
    let store = place.open();
    place.pass(-100_000);
    assert!(take(&store).is_none());
    place.pass(5);
    let job = begin(&store).unwrap();
    store.put_down().unwrap();
    drop(store);
    let store = place.open();
    place.pass(5);
    assert_eq!(begin(&store).unwrap().id, job.id, "an end in order is no death");
    step(&store, job.number, 0);
    drop(store);
    assert!(begin(&place.open()).is_some(), "whoever comes further is not suspected");
}

#[test]
fn a_database_of_the_version_before_is_gone_on_with() {
    let place = Place::new();
    let id = {
        let store = place.open();
        let id = add(&store, "me").id;
        store.connection().execute_batch("ALTER TABLE jobs DROP COLUMN at_work; PRAGMA user_version = 1;").unwrap();
        id
    };
    assert_eq!(begin(&place.open()).unwrap().id, id);
}

#[test]
fn a_job_that_was_cancelled_is_over_and_one_that_is_over_can_be_forgotten() {
    let place = Place::new();
    let store = place.open();
    let job = add(&store, "me");
    assert!(matches!(store.delete(None, &job.id), Err(StoreError::NotOver(Status::Queued))));
    take(&store).unwrap();
    assert_eq!(store.cancel(Some("me"), &job.id).unwrap().status, Status::Cancelled);
    assert!(matches!(store.cancel(Some("me"), &job.id), Err(StoreError::Over(Status::Cancelled))));
    assert!(!step(&store, job.number, 0));
    assert!(store.fail(job.number, &json!({})).unwrap().is_none());
    store.delete(Some("me"), &job.id).unwrap();
    assert!(matches!(store.get(None, &job.id), Err(StoreError::Unknown { .. })));
    assert_eq!(place.sounds(), 0);
    let job = add(&store, "me");
    take(&store).unwrap();
    let failed = store.fail(job.number, &json!({ "message": "why" })).unwrap().unwrap();
    assert_eq!(failed.error.unwrap()["message"], "why");
    assert!(matches!(store.cancel(None, &job.id), Err(StoreError::Over(Status::Failed))));
    assert_eq!(store.counts().unwrap()["failed"], 1);
}

#[test]
fn sounds_and_results_have_their_time() {
    let place = Place::new();
    let store = place.open();
    let (job, waiting) = (add(&store, "me"), add(&store, "me"));
    take(&store).unwrap();
    let done = store.finish(job.number, &json!({})).unwrap().unwrap();
    assert_eq!(done.expires_at, Some(11_000));
    place.pass(-9000);
    assert_eq!((store.expire().unwrap(), place.sounds()), (0, 2), "the clock was set back");
    place.pass(9000 + 99);
    assert_eq!((store.expire().unwrap(), place.sounds()), (0, 2));
    place.pass(1);
    assert_eq!((store.expire().unwrap(), place.sounds()), (0, 1));
    let done = store.get(None, &job.id).unwrap();
    assert!(!done.has_sound && store.sound(&done).unwrap().is_none());
    place.pass(900);
    assert_eq!(store.expire().unwrap(), 1);
    assert_eq!(ids(&store, &ALL), [waiting.id], "what waits does not age");
}

#[test]
fn files_of_no_job_are_removed_at_the_start() {
    let place = Place::new();
    let id = add(&place.open(), "me").id;
    std::fs::write(sounds::path(place.folder.path(), "job_other"), b"x").unwrap();
    std::fs::write(sounds::path(place.folder.path(), ".part"), b"x").unwrap();
    let store = place.open();
    assert_eq!(place.sounds(), 1);
    assert!(store.sound(&store.get(None, &id).unwrap()).unwrap().is_some());
}

#[test]
fn a_damaged_database_is_kept_and_another_begun() {
    let damages: [fn(&Path); 5] = [
        |path| {
            std::fs::write(path, b"this is no database, but it is long enough to be looked at by one ................")
                .unwrap()
        },
        |path| {
            let mut bytes = std::fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[4096..middle].fill(0xa5);
            std::fs::write(path, bytes).unwrap();
        },
        |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 3]).unwrap();
        },
        |path| std::fs::write(path, b"").unwrap(),
        |path| {
            std::fs::remove_file(path).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let place = Place::new();
        {
            let store = place.open();
            (0..20).for_each(|_| drop(add(&store, "me")));
        }
        damage(&place.folder.path().join(DATABASE));
        let store = place.open();
        assert_eq!((ids(&store, &ALL).len(), place.sounds()), (0, 0), "{number}");
        let aside = place.folder.path().join("damaged-10000");
        assert_eq!(aside.join("uploads").read_dir().unwrap().count(), 20, "{number}");
        assert!(aside.join(DATABASE).exists(), "{number}");
        add(&store, "me");
    }
}

#[test]
fn a_newer_database_and_a_folder_in_use_are_refused_and_left_alone() {
    let place = Place::new();
    let store = place.open();
    add(&store, "me");
    assert!(matches!(place.try_open(), Err(StoreError::InUse { .. })));
    store.connection().pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(store);
    let error = place.try_open().err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 3, .. }), "{error}");
    assert_eq!(place.sounds(), 1);
    assert!(error.to_string().contains("newer program"), "{error}");
}

#[test]
fn the_end_of_a_job_is_to_be_told_until_it_is() {
    let place = Place::new();
    let file = sound(b"x");
    let with = |store: &Store| {
        let new = NewJob { webhook_url: Some("https://example.org/"), ..new("me", &file) };
        let Added::New(job) = store.add(&new).unwrap() else { panic!() };
        job
    };
    {
        let store = place.open();
        let (done, cancelled) = (with(&store), with(&store));
        add(&store, "nobody listens");
        take(&store).unwrap();
        store.finish(done.number, &json!({})).unwrap();
        store.cancel(None, &cancelled.id).unwrap();
        let other = take(&store).unwrap();
        store.finish(other.number, &json!({})).unwrap();
    }
    let store = place.open();
    let due = store.due(&[], 10).unwrap();
    let kinds: Vec<_> =
        due.iter().map(|due| serde_json::from_str::<serde_json::Value>(&due.body).unwrap()["type"].clone()).collect();
    assert_eq!(kinds, ["job.succeeded", "job.cancelled"]);
    assert_eq!(store.due(&[due[0].number], 10).unwrap(), due[1..]);
    store.delivered(due[0].number).unwrap();
    let (mut delivery, mut waited) = (due[1].clone(), 0);
    while let Some(pause) = store.not_delivered(&delivery).unwrap() {
        assert_eq!((store.due(&[], 10).unwrap().len(), store.next_due().unwrap()), (0, Some(pause)));
        place.pass(pause as i64);
        waited += pause;
        let again = store.due(&[], 10).unwrap().remove(0);
        assert_eq!((again.message.as_str(), again.tries), (delivery.message.as_str(), delivery.tries + 1));
        delivery = again;
    }
    assert!((80_000..90_000).contains(&waited), "{waited} s are about a day");
    assert_eq!(store.next_due().unwrap(), None);
}

#[test]
fn a_message_is_not_lost_when_the_clock_is_set_back() {
    let place = Place::new();
    let store = place.open();
    let file = sound(b"x");
    store.add(&NewJob { webhook_url: Some("https://example.org/"), ..new("me", &file) }).unwrap();
    let job = take(&store).unwrap();
    store.fail(job.number, &json!({})).unwrap();
    place.pass(-9_000_000);
    assert_eq!(store.due(&[], 10).unwrap().len(), 1);
}
