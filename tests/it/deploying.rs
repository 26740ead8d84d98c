//! The manifests in `deploy/`: they fit together, and what they configure is what the program reads. No container is started.

use std::path::Path;

use jiefeng::config::{Environment, Settings, load};
use serde::Deserialize;
use serde_json::Value;

fn documents(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new("deploy").join(file)).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    let values =
        documents.map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{file}: {error}")));
    values.collect()
}

fn kubernetes(kind: &str) -> Value {
    let all = documents("kubernetes.yaml");
    all.into_iter().find(|document| document["kind"] == kind).unwrap()
}

#[test]
fn the_bots_of_the_cluster_are_found_and_one_is_always_ready() {
    let deployment = kubernetes("Deployment");
    let template = &deployment["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], *labels);
    assert_eq!(kubernetes("Service")["spec"]["selector"], *labels);
    let budget = kubernetes("PodDisruptionBudget");
    assert_eq!(budget["spec"]["selector"]["matchLabels"], *labels);
    assert_eq!(budget["spec"]["minAvailable"], 1);
    assert!(deployment["spec"]["replicas"].as_u64().unwrap() >= 2);
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let container = &template["spec"]["containers"][0];
    for (probe, path) in [
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/healthz"),
        ("startupProbe", "/healthz"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
    }
    assert_eq!(template["spec"]["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
}

#[test]
fn the_configuration_of_the_cluster_loads_with_its_secrets() {
    let folder = tempfile::TempDir::new().unwrap();
    let secrets = kubernetes("Secret")["stringData"].clone();
    for (name, value) in secrets.as_object().unwrap() {
        let value = match name.as_str() {
            "encoding-aes-key" => "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            "store-url" => value.as_str().unwrap(),
            _ => "TokenForTests1",
        };
        std::fs::write(folder.path().join(name), value.replace("【password】", "p%40ss")).unwrap();
    }
    let config = kubernetes("ConfigMap")["data"]["jiefeng.toml"]
        .as_str()
        .unwrap()
        .to_owned();
    let config = config
        .replace("【企业ID】", "ww1")
        .replace("/run/secrets/jiefeng", folder.path().to_str().unwrap());
    let file = folder.path().join("jiefeng.toml");
    std::fs::write(&file, config).unwrap();
    let settings = load(&file, &Environment::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        settings.storage.address.to_string(),
        "postgres://postgres.example.com/jiefeng"
    );
    assert_eq!(settings.server.listen.port(), 8080);
}

fn text_between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

#[test]
fn the_configuration_of_the_compose_file_loads_with_the_address_that_it_has_written() {
    let compose = documents("compose.yaml").remove(0);
    let text = std::fs::read_to_string("deploy/compose.yaml").unwrap();
    let address = text_between(&text, "echo \"", "\" > secrets/store-url");
    let folder = tempfile::TempDir::new().unwrap();
    let secret = folder.path().join("store-url");
    let with_password = address.replace("$(cat secrets/postgres-password)", "0123456789abcdef");
    std::fs::write(&secret, format!("{with_password}\n")).unwrap();

    let mut variables = compose["services"]["bot"]["environment"].clone();
    variables["JIEFENG__STORAGE__URL_FILE"] = secret.to_str().unwrap().into();
    let settings = settings_with(variables);
    let database = compose["services"]["postgres"]["environment"]["POSTGRES_DB"].as_str();
    let expected = format!("postgres://postgres/{}", database.unwrap());
    assert_eq!(settings.storage.address.to_string(), expected);
    assert_eq!(outside_network(&compose), trusted_proxies(&compose));
}

/// The settings of a filled-in `jiefeng.toml` with these variables of a compose file.
fn settings_with(mut variables: Value) -> Settings {
    variables["JIEFENG__APPS__0__CORP_ID"] = "ww1".into();
    variables["JIEFENG__APPS__0__TOKEN"] = "TokenForTests1".into();
    variables["JIEFENG__APPS__0__ENCODING_AES_KEY"] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG".into();
    let variables = variables.as_object().unwrap().clone().into_iter();
    let variables = variables.map(|(name, value)| (name, value.as_str().unwrap().to_owned()));
    let settings = load(Path::new("deploy/jiefeng.toml"), &Environment::new(variables));
    settings.unwrap_or_else(|error| panic!("{error}"))
}

fn outside_network(compose: &Value) -> &Value {
    &compose["networks"]["outside"]["ipam"]["config"][0]["subnet"]
}

fn trusted_proxies(compose: &Value) -> &Value {
    &compose["services"]["bot"]["environment"]["JIEFENG__SERVER__TRUSTED_PROXIES"]
}

#[test]
fn the_bot_of_the_compose_file_for_one_keeps_its_state_on_its_volume_and_can_write_nowhere_else() {
    let compose = documents("compose-sqlite.yaml").remove(0);
    let bot = &compose["services"]["bot"];
    let settings = settings_with(bot["environment"].clone());
    // The image's working directory is the root.
    assert_eq!(settings.storage.address.to_string(), "sqlite://data/jiefeng.db");
    let container = std::fs::read_to_string("deploy/Containerfile").unwrap();
    assert!(container.contains("\nWORKDIR /\nVOLUME /data\n"));
    assert!(bot["volumes"].as_array().unwrap().contains(&"data:/data".into()));
    assert_eq!(bot["read_only"], true);
    assert_eq!(outside_network(&compose), trusted_proxies(&compose));
}

#[test]
fn the_image_is_built_from_all_that_the_program_is_made_of() {
    let container = std::fs::read_to_string("deploy/Containerfile").unwrap();
    let (before, _) = container.split_once("\nRUN deploy/build-static").unwrap();
    let copied: Vec<&str> = before
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(str::split_whitespace)
        .collect();
    let named = ["Cargo.toml", "Cargo.lock", "askama.toml", ".cargo", "benches", "src"];
    let included = included_from_outside(Path::new("src"));
    assert!(included.contains(&"knowledge".to_owned()));
    for needed in named.into_iter().chain(included.iter().map(String::as_str)) {
        assert!(copied.contains(&needed), "{needed} is missing in the image that builds");
    }
}

/// The folders beside `src` of which files are put into the program; those of tests are not.
fn included_from_outside(folder: &Path) -> Vec<String> {
    let mut outside = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            outside.extend(included_from_outside(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let up = "../".repeat(path.components().count() - 1);
            let included = source
                .split("include_str!(\"")
                .chain(source.split("include_bytes!(\""))
                .skip(1);
            let from_outside = included.filter_map(|rest| rest.strip_prefix(up.as_str())?.split('/').next());
            outside.extend(from_outside.filter(|folder| *folder != "tests").map(ToOwned::to_owned));
        }
    }
    outside
}

#[test]
fn the_proxy_of_the_compose_file_finds_the_bots_where_they_listen() {
    let read = |file: &str| std::fs::read_to_string(Path::new("deploy").join(file)).unwrap();
    let (caddy, container) = (read("Caddyfile.compose"), read("Containerfile"));
    let port = text_between(&caddy, "dynamic a bot ", " {");
    assert!(container.contains(&format!("JIEFENG__SERVER__LISTEN=0.0.0.0:{port} ")));
    assert!(container.contains(&format!("EXPOSE {port}\n")));
    let renamed = text_between(&read("compose.yaml"), "sed -i s/", "/YOUR.HOST.NAME/").to_owned();
    assert!(caddy.contains(&format!("\n{renamed} {{\n")));
}

#[test]
fn the_bots_of_the_compose_file_wait_for_their_database_and_nobody_else_reaches_it() {
    let compose = documents("compose.yaml").remove(0);
    let services = &compose["services"];
    assert_eq!(services["bot"]["deploy"]["replicas"], 2);
    assert_eq!(
        services["bot"]["depends_on"]["postgres"]["condition"],
        "service_healthy"
    );
    assert!(services["postgres"]["healthcheck"]["test"].is_array());
    assert_eq!(services["postgres"]["networks"], serde_json::json!(["inside"]));
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    assert!(
        !services["proxy"]["networks"]
            .as_array()
            .unwrap()
            .contains(&"inside".into())
    );
    for file in ["jiefeng.toml", "Caddyfile.compose", "Containerfile"] {
        assert!(Path::new("deploy").join(file).exists(), "{file}");
    }
    let secret = services["bot"]["environment"]["JIEFENG__STORAGE__URL_FILE"]
        .as_str()
        .unwrap();
    assert_eq!(secret, "/run/secrets/store-url");
    assert!(compose["secrets"]["store-url"].is_object());
}
