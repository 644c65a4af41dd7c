"""The words of the interface in several languages: what everybody sees. What only leads see is English.

To add a language, add a column of words with the same keys; tests/test_words.py says what is missing. English stands in
nowhere: a language is whole or not offered. Swahili and Arabic await a native speaker's eye.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_ENGLISH = {
    "direction": "ltr",
    # Signing in and joining.
    "welcome": "Welcome",
    "about": "Here people mark the names of persons, places and organisations in their language, while a model learns to "
    "suggest them.",
    "name": "Your name",
    "password": "Password",
    "new_password": "Choose a password",
    "password_hint": "At least 10 characters; a few words in a row are a good one.",
    "sign_in": "Sign in",
    "sign_out": "Sign out",
    "no_account": "No account yet? Ask the lead of your project for an invitation link.",
    "provider": "Sign in with your organisation",
    "other_identity": "Use another identity",
    "join": "Join",
    "join_as": "Join as {name}",
    "invited": "{by} invites you to the project {project} as {role}.",
    "first": "This link makes the first administrator of this installation.",
    "no_link": "Please open the invitation link that you were sent.",
    "offline": "The server cannot be reached; please try again.",
    "annotator": "annotator",
    "curator": "curator",
    "lead": "lead",
    # Pages.
    "annotate": "Annotate",
    "dashboard": "Dashboard",
    "data": "Data",
    "project": "Project",
    "people": "People",
    "you": "You",
    "language": "Language",
    "guidelines": "Guidelines",
}

_SWAHILI = {
    "direction": "ltr",
    "welcome": "Karibu",
    "about": "Hapa watu huweka alama kwenye majina ya watu, mahali na mashirika katika lugha yao, huku modeli ikijifunza "
    "kuyapendekeza.",
    "name": "Jina lako",
    "password": "Nenosiri",
    "new_password": "Chagua nenosiri",
    "password_hint": "Angalau herufi 10; maneno machache mfululizo yanafaa.",
    "sign_in": "Ingia",
    "sign_out": "Toka",
    "no_account": "Huna akaunti bado? Mwombe kiongozi wa mradi wako kiungo cha mwaliko.",
    "provider": "Ingia kupitia shirika lako",
    "other_identity": "Tumia utambulisho mwingine",
    "join": "Jiunge",
    "join_as": "Jiunge kama {name}",
    "invited": "{by} anakualika kwenye mradi {project} kama {role}.",
    "first": "Kiungo hiki kinafungua akaunti ya msimamizi wa kwanza.",
    "no_link": "Tafadhali fungua kiungo cha mwaliko ulichotumiwa.",
    "offline": "Seva haipatikani; tafadhali jaribu tena.",
    "annotator": "mweka alama",
    "curator": "mhakiki",
    "lead": "kiongozi",
    "annotate": "Weka alama",
    "dashboard": "Dashibodi",
    "data": "Data",
    "project": "Mradi",
    "people": "Watu",
    "you": "Wewe",
    "language": "Lugha",
    "guidelines": "Miongozo",
}

_ARABIC = {
    "direction": "rtl",
    "welcome": "أهلاً وسهلاً",
    "about": "هنا يحدّد الناس أسماء الأشخاص والأماكن والمنظمات بلغتهم، بينما يتعلّم نموذج أن يقترحها.",
    "name": "اسمك",
    "password": "كلمة المرور",
    "new_password": "اختر كلمة مرور",
    "password_hint": "عشرة أحرف على الأقل؛ بضع كلمات متتالية خيار جيد.",
    "sign_in": "تسجيل الدخول",
    "sign_out": "تسجيل الخروج",
    "no_account": "ليس لديك حساب بعد؟ اطلب رابط دعوة من قائد مشروعك.",
    "provider": "الدخول عبر مؤسستك",
    "other_identity": "استخدام هوية أخرى",
    "join": "انضمام",
    "join_as": "الانضمام باسم {name}",
    "invited": "دعوة من {by} إلى المشروع {project} بصفة {role}.",
    "first": "يُنشئ هذا الرابط حساب المدير الأول.",
    "no_link": "افتح رابط الدعوة الذي أُرسل إليك.",
    "offline": "تعذّر الوصول إلى الخادم؛ حاول مرة أخرى.",
    "annotator": "موسِّم",
    "curator": "مراجِع",
    "lead": "قائد",
    "annotate": "التوسيم",
    "dashboard": "لوحة المتابعة",
    "data": "البيانات",
    "project": "المشروع",
    "people": "الأشخاص",
    "you": "أنت",
    "language": "اللغة",
    "guidelines": "الإرشادات",
}

LANGUAGES: Mapping[str, str] = {"en": "English", "sw": "Kiswahili", "ar": "العربية"}
CATALOGUE: Mapping[str, Mapping[str, str]] = {"en": _ENGLISH, "sw": _SWAHILI, "ar": _ARABIC}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language of LANGUAGES."""

    language: str

    def __getitem__(self, key: str) -> str:
        return CATALOGUE[self.language][key]

    def all(self) -> dict[str, str]:
        """Every word by its key, for the browser."""
        return dict(CATALOGUE[self.language])


def words_for(wanted: str | None, locale: str | None) -> Words:
    """The words a person chose or, where they chose none, those of the browser (`"sw-KE" -> Swahili`), else English."""
    for language in (wanted, (locale or "").replace("_", "-").split("-")[0].lower()):
        if language in LANGUAGES:
            return Words(str(language))
    return Words("en")
