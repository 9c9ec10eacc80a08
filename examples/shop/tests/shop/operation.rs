//! What whoever runs the shop looks at.

use reqwest::Method;
use serde_json::json;

use crate::program::Program;
use crate::scene::{ADA, Answer, STAFF, Scene, eventually, on_each_store};

on_each_store!(
    the_shop_tells_how_it_is,
    the_shop_tells_what_it_measures,
    a_method_that_nobody_knows_is_measured_as_another,
    all_that_the_guides_name_is_measured,
);

async fn the_shop_tells_how_it_is(scene: Scene) {
    let ask = async |path: &str| Answer::of(scene.client.get(format!("{}{path}", scene.url))).await;
    let live = ask("/health/live").await.is(200);
    assert_eq!(live.body["live"], true);
    eventually("ready", async || (ask("/health/ready").await.status == 200).then_some(())).await;
    let ready = ask("/health/ready").await.is(200).body;
    let names: Vec<_> = ready["parts"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = names.iter().map(|part| part["name"].as_str().expect("a name")).collect();
    for name in [
        "order_pages",
        "customer_orders",
        "stock_levels",
        "revenue_by_day",
        "fulfilment",
        "mails",
        "delivery",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let kinds = ask("/problems").await.is(200).body;
    let broken = json!({
        "type": "/problems#broken-rule",
        "status": 422,
        "title": "A rule of the shop does not allow it"
    });
    assert!(kinds.as_array().expect("a list").contains(&broken), "{kinds:#}");
}

async fn the_shop_tells_what_it_measures(scene: Scene) {
    scene.place(ADA, "o-1", 1).await.is(202);
    scene.get("/orders/o-secret", ADA).await.is(404);
    // How far behind they are is measured now and then.
    let text = eventually("measured", async || {
        let metrics = Answer::of(scene.client.get(format!("{}/metrics", scene.url))).await.is(200);
        let text = metrics.body.as_str().expect("text").to_owned();
        let gauges = [
            r#"annals_projection_lag_seconds{projection="order_pages"}"#,
            r#"annals_projection_lag_positions{projection="order_pages"}"#,
            r#"annals_projection_parked{projection="order_pages"} 0"#,
            r#"annals_process_lag_positions{process="fulfilment"}"#,
            r#"annals_process_parked{process="fulfilment"} 0"#,
            r#"annals_saga_parked{saga="delivery"} 0"#,
        ];
        gauges.iter().all(|gauge| text.contains(gauge)).then_some(text)
    });
    let text = text.await;
    for part in [
        "annals_commands_total{",
        r#"command="PlaceOrder""#,
        r#"shop_http_requests_total{method="PUT",route="/orders/{order}",status="202"}"#,
        "shop_http_request_seconds",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert!(!text.contains("o-secret"), "{text}");
    for token in ["ada-token", "staff-token"] {
        assert!(!text.contains(token));
    }
}

/// Whoever sends a method of their own makes no series of it, with a token or without.
async fn a_method_that_nobody_knows_is_measured_as_another(scene: Scene) {
    for number in 0..20 {
        let method = Method::from_bytes(format!("BREW{number}").as_bytes()).expect("a method");
        for path in ["/stock", "/nowhere"] {
            let request = scene.client.request(method.clone(), format!("{}{path}", scene.url));
            assert!([404, 405].contains(&Answer::of(request).await.status));
        }
    }
    let metrics = Answer::of(scene.client.get(format!("{}/metrics", scene.url))).await.is(200);
    let text = metrics.body.as_str().expect("text");
    assert!(!text.contains("BREW"), "{text}");
    assert!(text.contains(r#"shop_http_requests_total{method="other",route="none",status="404"}"#));
}

/// What the guides tell whoever is on call to look at.
const GUIDES: [&str; 4] = [
    include_str!("../../README.md"),
    include_str!("../../../../docs/sagas.md"),
    include_str!("../../../../docs/processes.md"),
    include_str!("../../../../docs/operations.md"),
];

async fn all_that_the_guides_name_is_measured(scene: Scene) {
    scene.restock("tea", 10).await;
    for order in ["o-1", "o-2", "o-3"] {
        scene.paid(order).await;
    }
    // One shipment comes about, one is undone, one waits for a person.
    scene.ship(STAFF, "o-1").await.is(202);
    scene.becomes("o-1", "shipped").await;
    let tell = async |fails: &[&str]| {
        scene.put("/outside/carrier", STAFF, json!({ "fails": fails })).await.is(200);
    };
    tell(&["hand_over"]).await;
    scene.ship(STAFF, "o-2").await.is(202);
    scene.until("/orders/o-2", |page| page["version"] == 5).await;
    tell(&["hand_over", "cancel"]).await;
    scene.ship(STAFF, "o-3").await.is(202);
    scene.until("/shipments/parked", |parked| parked[0].is_object()).await;
    let metrics = Answer::of(scene.client.get(format!("{}/metrics", scene.url))).await.is(200);
    let text = metrics.body.as_str().expect("text");
    let mut named: Vec<&str> = GUIDES
        .iter()
        .flat_map(|guide| guide.split('`'))
        .filter(|name| {
            let is_ours = [
                "annals_saga_",
                "annals_process_",
                "annals_projection_",
                "annals_command",
                "shop_http_",
            ];
            let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            is_name && !name.ends_with('_') && is_ours.iter().any(|prefix| name.starts_with(prefix))
        })
        // Nothing has stopped here.
        .filter(|name| *name != "annals_projection_stops_total")
        .collect();
    named.sort_unstable();
    named.dedup();
    assert!(named.len() > 12, "{named:?}");
    for name in named {
        let is_shown = text.lines().any(|line| line.starts_with(name));
        assert!(is_shown, "no `{name}` in {text}");
    }
    for (name, least) in [("begun", 3), ("completed", 1), ("undone", 1), ("parked", 1)] {
        let series = format!("annals_saga_{name}_total{{saga=\"delivery\"}} ");
        let counted = text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<u64>().ok());
        // Other tests of this program are counted, too.
        assert!(counted.is_some_and(|count| count >= least), "{series}: {counted:?}");
    }
}

/// What waits for a person is listed by the program that put it there.
#[tokio::test]
async fn an_operator_looks_after_the_database() {
    let scene = Scene::on_postgres().await;
    scene.restock("tea", 5).await;
    scene.paid("o-1").await;
    let operate = |arguments: &[&str]| Program::operate(scene.database(), arguments);
    for (arguments, named) in [
        (&["processes", "list"][..], "mails"),
        (&["projections", "list"], "order_pages"),
        (&["sagas", "list"], "delivery"),
    ] {
        let (is_well, said) = operate(arguments);
        assert!(is_well && said.contains(named), "{arguments:?}: {said}");
    }
    let (is_well, said) = operate(&["parked", "list"]);
    assert!(is_well, "{said}");
}
