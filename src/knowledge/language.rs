//! The languages the bot speaks, and texts that exist in both.

/// Language of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Simplified Chinese; also the answer to mixed questions.
    #[default]
    Chinese,
    /// Chinese in traditional characters, for those who write them.
    TraditionalChinese,
    /// English, for questions without any Chinese.
    English,
}

/// The same thing in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bilingual<T> {
    /// Chinese.
    pub zh: T,
    /// English.
    pub en: T,
}

impl Language {
    /// The language's tag in records (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::TraditionalChinese => "zh-Hant",
            Self::English => "en",
        }
    }
}

impl<T> Bilingual<T> {
    /// The one in `language`.
    pub fn get(&self, language: Language) -> &T {
        match language {
            Language::Chinese | Language::TraditionalChinese => &self.zh,
            Language::English => &self.en,
        }
    }
}
