//! What is asked of an upstream, and how many of its answers are read at once.

use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::clock::Timestamp;

const TEXT: &[u8] = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n";
const ID: UpstreamId = [1; 32];

/// Has the same calendar for everybody, and remembers what was sent with the question.
#[derive(Debug, Default)]
struct Same(Mutex<Vec<Validators>>);

impl Fetch for Same {
    async fn fetch(&self, order: Order) -> Result<Fetched, FetchError> {
        self.0.lock().unwrap().push(order.validators);
        Ok(Fetched::Body { text: TEXT.to_vec(), validators: Validators::default(), moved_to: None })
    }
}

fn tools() -> (TempDir, Arc<Tools<Same>>) {
    let dir = tempfile::tempdir().unwrap();
    let tools = Tools {
        fetch: Same::default(),
        store: Arc::new(Store::open(dir.path(), crate::store::Access::Serve).unwrap()),
        clock: Clock::System,
        limits: Limits::default(),
        collapse: CollapseRule::default(),
        readers: Semaphore::new(1),
        desk: Space::new(64 << 20),
    };
    (dir, Arc::new(tools))
}

fn job(standing: Standing) -> Job {
    let address = Address::parse("https://cal.example/a.ics").unwrap();
    let share = Arc::new(Space::new(64 << 20).share(0));
    Job { id: ID, address, reach: Reach::Public, ports: Arc::new([443]), way: Way::Direct, standing, share }
}

fn copy(entries: usize) -> Snapshot {
    Snapshot {
        digest: [7; 32],
        entries,
        size: 1,
        changed_at: Timestamp::from_secs(1),
        confirmed_at: Timestamp::from_secs(1),
        validators: Validators { etag: Some("\"x\"".into()), last_modified: None },
        inherited: false,
    }
}

/// Each may take several times its size of memory.
#[tokio::test]
async fn an_answer_is_not_read_before_there_is_a_place_for_it() {
    let (_dir, tools) = tools();
    let place = tools.readers.acquire().await.unwrap();
    let mut refreshed = std::pin::pin!(refresh(Arc::clone(&tools), job(Standing::default())));
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), refreshed.as_mut()).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(tools.fetch.0.lock().unwrap().len(), 1, "it has come, and waits");
    drop(place);
    assert!(matches!(refreshed.await.unwrap().outcome, Outcome::Changed { .. }));
}

/// So that those of small ones are free meanwhile.
#[tokio::test]
async fn a_large_copy_is_read_at_a_place_of_its_own() {
    let (_dir, tools) = tools();
    let all = tools.desk.wait(tools.desk.whole()).await;
    let large = Standing { snapshot: Some(Snapshot { size: 5 << 20, ..copy(0) }), ..Standing::default() };
    let mut refreshed = std::pin::pin!(refresh(Arc::clone(&tools), job(large)));
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), refreshed.as_mut()).await;
    assert!(early.is_err(), "{early:?}");
    let small = refresh(Arc::clone(&tools), job(Standing::default())).await.unwrap();
    assert!(matches!(small.outcome, Outcome::Changed { .. }));
    let place = tools.readers.acquire().await.unwrap();
    drop(all);
    assert!(matches!(refreshed.await.unwrap().outcome, Outcome::Changed { .. }));
    drop(place);
}

/// "Not changed" would say nothing of it: the copy that is meant is the one before.
#[tokio::test]
async fn while_an_answer_is_kept_aside_the_next_is_asked_for_whole() {
    let (_dir, tools) = tools();
    let held = Standing { snapshot: Some(copy(30)), ..Standing::default() };
    refresh(Arc::clone(&tools), job(held.clone())).await;
    let aside = Quarantine { snapshot: copy(1), since: Timestamp::from_secs(1), agreed: 1 };
    refresh(Arc::clone(&tools), job(Standing { quarantine: Some(Box::new(aside)), ..held })).await;
    assert_eq!(*tools.fetch.0.lock().unwrap(), [copy(30).validators, Validators::default()]);
}
