//! The document that the API gives of itself.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::scene::{Answer, Scene};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

async fn document(scene: &Scene) -> Value {
    Answer::of(scene.client.get(format!("{}/openapi.json", scene.url))).await.is(200).body
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// Each operation with its path and method.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = members(&document["paths"]).iter();
    let of = |(path, item)| {
        let operations = members(item).iter();
        operations.map(move |(method, operation): (&String, _)| (path, &**method, operation))
    };
    paths.map(|(path, item)| (&**path, item)).flat_map(of).collect()
}

#[tokio::test]
async fn the_document_is_sound() {
    let scene = Scene::in_memory().await;
    let document = document(&scene).await;
    let version = document["openapi"].as_str().expect("a version");
    assert!(version.starts_with("3."), "{version}");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());

    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(METHODS.contains(&method), "{what}");
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{what}: {id} stands there twice");
        assert!(operation["summary"].is_string() || operation["description"].is_string(), "{what}");

        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .map(|list| list.iter().collect())
            .unwrap_or_default();
        let said: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(said, in_path.collect(), "{what}");
        for parameter in &parameters {
            assert!(parameter["schema"].is_object(), "{what}: {parameter}");
        }

        let is_of_users = operation["tags"] != serde_json::json!(["operation"]);
        let responses = members(&operation["responses"]);
        assert!(responses.keys().any(|status| status.starts_with('2')), "{what}");
        for (status, response) in responses {
            let is_problem = is_of_users && !status.starts_with('2');
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                assert_eq!(
                    is_problem,
                    media_type == "application/problem+json",
                    "{what}: {status}"
                );
                assert!(content["schema"].is_object(), "{what}: {status}");
            }
        }
        assert_eq!(is_of_users, responses.contains_key("401"), "{what}");
    }
    references_lead_somewhere(&document, &document);
}

fn references_lead_somewhere(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref") {
                let reference = reference.as_str().expect("a reference");
                let pointer = reference.strip_prefix('#').expect("one within the document");
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            for member in members.values() {
                references_lead_somewhere(document, member);
            }
        }
        Value::Array(items) => {
            for item in items {
                references_lead_somewhere(document, item);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_of_the_document_is_served_and_no_other() {
    let scene = Scene::in_memory().await;
    let document = document(&scene).await;
    let said: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .map(|(path, method, _)| (path.to_owned(), method.to_uppercase()))
        .collect();
    for path in members(&document["paths"]).keys() {
        // A method that the path does not take, since no path takes it: the answer lists those that it does.
        let url = format!("{}{}", scene.url, path.replace(['{', '}'], ""));
        let answer = Answer::of(scene.client.request(Method::TRACE, url)).await;
        let answer = answer.refused(405, "method-not-allowed");
        let served: BTreeSet<_> = answer.header("allow").expect("a list").split(',').collect();
        // Whatever answers GET answers HEAD.
        let served: BTreeSet<_> = served
            .into_iter()
            .map(|method| (path.clone(), method.trim().to_owned()))
            .filter(|(_, method)| method != "HEAD")
            .collect();
        let said: BTreeSet<_> = said.iter().filter(|(of, _)| of == path).cloned().collect();
        assert_eq!(served, said);
    }
}

#[tokio::test]
async fn the_page_to_try_it_loads_nothing_from_elsewhere() {
    let scene = Scene::in_memory().await;
    let get = async |path: &str| Answer::of(scene.client.get(format!("{}{path}", scene.url))).await;
    let page = get("/docs/").await.is(200);
    let page = page.body.as_str().expect("a page").to_owned();
    let mut loaded = 0;
    let is_loaded = |part: &&str| {
        let extension = std::path::Path::new(part).extension();
        extension.is_some_and(|extension| extension == "js" || extension == "css")
    };
    for part in page.split(['"', '\'']).filter(is_loaded) {
        assert!(part.starts_with("./") || part.ends_with("index.css"), "{part}");
        get(&format!("/docs/{}", part.trim_start_matches("./"))).await.is(200);
        loaded += 1;
    }
    assert!(loaded >= 3, "{page}");
    assert!(!page.contains("://"), "{page}");
    let begins = get("/docs/swagger-initializer.js").await.is(200);
    let begins = begins.body.as_str().expect("a script").to_owned();
    assert!(begins.contains("/openapi.json") && !begins.contains("://"), "{begins}");
    assert!(begins.contains(r#""validatorUrl": "none""#), "{begins}");
}
