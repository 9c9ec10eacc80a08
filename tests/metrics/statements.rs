//! What the store on PostgreSQL measures of its statements and of its pool.

use annals::prelude::*;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;

use crate::measured::measured;
use crate::subscriptions::append;

#[test]
fn statements_tell_how_many_shared_them_and_the_pool_how_long_it_took() {
    let measured = measured(async {
        let database = TestDatabase::create().await.unwrap();
        let store = PostgresStore::connect(database.url()).await.unwrap();
        store.migrate().await.unwrap();
        append(&store, "first", 3).await;
        let streams: Vec<String> = (0..20).map(|number| format!("s-{number}")).collect();
        futures::future::join_all(streams.iter().map(|stream| append(&store, stream, 2))).await;
        store.head().await.unwrap();
    });
    let calls = measured.histogram("annals_batch_calls{}");
    let events = measured.histogram("annals_batch_events{}");
    assert_eq!(calls.len(), events.len());
    assert!((calls.iter().sum::<f64>() - 21.0).abs() < f64::EPSILON, "{calls:?}");
    assert!((events.iter().sum::<f64>() - 43.0).abs() < f64::EPSILON, "{events:?}");
    assert!((events[0] - 3.0).abs() < f64::EPSILON, "{events:?}");
    assert!(calls.iter().any(|shared| *shared > 1.0), "twenty at once share statements: {calls:?}");
    assert!(!measured.histogram("annals_pool_wait_seconds{}").is_empty());
}
