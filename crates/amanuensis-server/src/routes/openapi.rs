//! `/openapi.json`: the endpoints and their fields, from the lists by which they are served.

use std::sync::LazyLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::{Body, Route, table};
use crate::wish::{Endpoint, FIELDS, Kind};

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);

pub(super) async fn document() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn build() -> Value {
    let mut paths = Map::new();
    for route in table() {
        let shown = route.path.replace("{*", "{");
        let operations = paths.entry(shown).or_insert_with(|| json!({}));
        operations[route.method] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Amanuensis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Speech to text with OpenAI's Whisper models",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": error_schema() },
        },
    })
}

fn operation(route: &Route) -> Value {
    let name = format!("{}_{}", route.method, route.path.trim_matches('/').replace(['/', '-', '.'], "_"));
    let name: String = name.chars().filter(|character| !"{}*".contains(*character)).collect();
    let failure = json!({
        "description": "What went wrong",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    let done = if matches!(route.body, Body::Form(Endpoint::Jobs)) { "202" } else { "200" };
    let mut operation = json!({
        "operationId": name,
        "summary": route.about,
        "responses": { done: { "description": "It was done" }, "default": failure },
    });
    if let Some(scope) = route.scope {
        operation["security"] = json!([{ "key": [] }]);
        operation["description"] = json!(format!("Where keys are asked for, one with the scope {scope}."));
    }
    let parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|part| {
            let name = part.trim_start_matches('*');
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let content = match route.body {
        Body::Nothing => return operation,
        Body::Json => json!({ "application/json": { "schema": { "type": "object" } } }),
        Body::Form(endpoint) => json!({ "multipart/form-data": { "schema": form(endpoint) } }),
        Body::OtherForm(file) => {
            let schema = json!({ "type": "object", "required": [file], "properties": { file: binary() } });
            json!({ "multipart/form-data": { "schema": schema } })
        }
    };
    operation["requestBody"] = json!({ "required": true, "content": content });
    operation
}

fn binary() -> Value {
    json!({ "type": "string", "format": "binary", "description": "The sound" })
}

fn form(endpoint: Endpoint) -> Value {
    let mut properties = Map::new();
    properties.insert("file".to_owned(), binary());
    for field in FIELDS.iter().filter(|field| field.endpoints.contains(&endpoint)) {
        let mut schema = match field.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Boolean => json!({ "type": "boolean" }),
            Kind::Integer { least } => json!({ "type": "integer", "minimum": least }),
            Kind::Number { least, most } => json!({ "type": "number", "minimum": least, "maximum": most }),
            Kind::OneOf(values) => json!({ "type": "string", "enum": values }),
            Kind::ListOf([]) => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::ListOf(values) => json!({ "type": "array", "items": { "type": "string", "enum": values } }),
        };
        schema["description"] = json!(field.about);
        properties.insert(field.name.to_owned(), schema);
    }
    let required = if endpoint == Endpoint::Jobs { json!(["file"]) } else { json!(["file", "model"]) };
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn error_schema() -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": { "message": text, "type": text, "param": maybe, "code": maybe },
        } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_transcription_are_described() {
        let document = build();
        let post = &document["paths"]["/v1/audio/transcriptions"]["post"];
        let schema = &post["requestBody"]["content"]["multipart/form-data"]["schema"];
        assert_eq!(schema["properties"]["temperature"]["maximum"], 1.0);
        assert_eq!(schema["required"], json!(["file", "model"]));
        let other = &document["paths"]["/v1/audio/translations"]["post"]["requestBody"]["content"];
        assert!(other["multipart/form-data"]["schema"]["properties"].get("task").is_none());
        assert_eq!(document["paths"]["/v1/models/{id}"]["get"]["parameters"][0]["name"], "id");
    }
}
