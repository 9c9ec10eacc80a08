//! A store that pages wrongly is told so: what it holds back is not taken for what is not there.

use annals::prelude::*;
use annals::{EventFilter, LogPage, Page, ReadAll, ReadStream};
use annals_testing::conformance::faulty::{Fault, Faulty};
use futures::TryStreamExt;

use crate::bank::{Account, Deposit, OpenAccount};

/// Answers with empty pages, but says that more is to come.
struct HoldsBack;

#[async_trait]
impl<S: EventStore> Fault<S> for HoldsBack {
    async fn stream_page(&self, store: &S, read: &ReadStream) -> Result<Page, StoreError> {
        store.stream_page(read).await.map(|_| Page::new(Vec::new(), true))
    }

    async fn log_page(&self, store: &S, read: &ReadAll) -> Result<LogPage, StoreError> {
        store.log_page(read).await.map(|_| LogPage::new(Vec::new(), read.after, true))
    }
}

async fn stored() -> MemoryStore {
    let store = MemoryStore::new();
    let bus = CommandBus::new(store.clone());
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
    bus.dispatch(Deposit { account: "ada".into(), amount: 5 }).await.unwrap();
    store
}

#[tokio::test]
async fn a_stream_page_that_holds_back_is_an_error() {
    let store = Faulty::new(stored().await, HoldsBack);
    let expected = "the store answered the read of stream `account-ada` from version 1 to \
                    18446744073709551615 with an empty page, but more is to come";
    let stream = StreamId::new("account", "ada");
    let read: Result<Vec<_>, _> = store.read_stream(&stream, ..).try_collect().await;
    assert_eq!(read.unwrap_err().to_string(), expected);
    let loaded = Repository::<Account>::new(store).load("ada").await;
    assert_eq!(loaded.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_log_page_that_reaches_no_further_is_an_error() {
    let store = Faulty::new(stored().await, HoldsBack);
    let read = ReadAll::after(Position::START).filter(EventFilter::all());
    let read: Result<Vec<_>, _> = store.read_all(read).try_collect().await;
    assert_eq!(
        read.unwrap_err().to_string(),
        "the store answered the read of the log after position 0 with a page that reached no further, \
         but more is to come"
    );
}

/// The page at hand with the event that a snapshot contains last ends where the next begins.
#[tokio::test]
async fn pages_of_one_event_lose_none_behind_a_snapshot() {
    /// Pages of one event each, however many are asked for.
    struct Small;

    #[async_trait]
    impl<S: EventStore> Fault<S> for Small {
        async fn stream_page(&self, store: &S, read: &ReadStream) -> Result<Page, StoreError> {
            store.stream_page(&read.clone().limit(1)).await
        }
    }

    let store = stored().await;
    let accounts = Repository::<Account>::new(store.clone());
    accounts.snapshot("ada").await.unwrap();
    let bus = CommandBus::new(store.clone());
    for amount in 1..=4 {
        bus.dispatch(Deposit { account: "ada".into(), amount }).await.unwrap();
    }
    let accounts = Repository::<Account>::new(Faulty::new(store, Small));
    let loaded = accounts.load("ada").await.unwrap().unwrap();
    assert_eq!((loaded.state.balance, loaded.stream_version), (15, 6));
    let before = accounts.load("ada").at_version(4).await.unwrap().unwrap();
    assert_eq!(before.state.balance, 8);
}
