"""What the people of five countries are called and where they live, for `books`: lists of our own.

Surnames are put together from two halves, so that a book has about as many different ones as a real
one. Nicknames are by given name. Phone numbers are of the right length; those of the US are in the
exchange 555.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Locale:
    """``trunk`` stands before a number that is written without the ``country`` code."""

    region: str
    country: str
    trunk: str
    mobile: tuple[str, ...]
    landline: tuple[str, ...]
    digits: int
    women: tuple[str, ...]
    men: tuple[str, ...]
    nicknames: Mapping[str, str]
    stems: tuple[str, ...]
    ends: tuple[str, ...]
    streets: tuple[str, ...]
    street: str
    towns: tuple[str, ...]
    postcode: str
    firms: tuple[str, ...]
    her_ends: Mapping[str, str]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())


US = Locale(
    region="US",
    country="1",
    trunk="",
    mobile=tuple(f"{area}555" for area in (201, 206, 212, 303, 312, 404, 415, 503, 512, 617, 702, 808, 917)),
    landline=tuple(f"{area}555" for area in (203, 216, 305, 313, 412, 508, 602, 614, 713, 804)),
    digits=4,
    women=_words(
        "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Sandra Betty "
        "Ashley Emily Kimberly Margaret Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca "
        "Sharon Laura Cynthia Dorothy Amy Kathleen Angela Shirley Brenda Emma Anna Pamela Nicole Samantha"
    ),
    men=_words(
        "James Robert John Michael David William Richard Joseph Thomas Christopher Charles Daniel Matthew "
        "Anthony Mark Donald Steven Andrew Paul Joshua Kenneth Kevin Brian Timothy Ronald Jason George "
        "Edward Jeffrey Ryan Jacob Nicholas Gary Eric Jonathan Stephen Larry Justin Scott Benjamin"
    ),
    nicknames=_pairs(
        "Patricia=Pat Jennifer=Jen Elizabeth=Liz Barbara=Barb Susan=Sue Jessica=Jess Margaret=Peggy "
        "Rebecca=Becky Deborah=Debbie Samantha=Sam James=Jim Robert=Bob John=Jack Michael=Mike David=Dave "
        "William=Bill Richard=Rick Joseph=Joe Thomas=Tom Christopher=Chris Charles=Chuck Daniel=Dan "
        "Matthew=Matt Anthony=Tony Steven=Steve Andrew=Andy Kenneth=Ken Timothy=Tim Edward=Ted "
        "Nicholas=Nick Benjamin=Ben Ronald=Ron"
    ),
    stems=_words(
        "Ash Black Brad Brook Clay Cole Dal East Fair Gold Green Hal Hart Holl Kings Lang Law Mill Nor "
        "North Oak Pres Rad Rams Red Shel Stan Sut Thorn Wal War West Whit Win Wood York"
    ),
    ends=_words(
        "berry bridge burn by den don dale field ford gate ham hurst land ley low man mer ridge son ton well"
    ),
    streets=_words(
        "Maple Oak Cedar Pine Elm Washington Lake Hill Walnut Spring North Ridge Church Willow Park Mill"
    ),
    street="{number} {name} Street",
    towns=_words(
        "Springfield Franklin Clinton Greenville Bristol Fairview Salem Madison Georgetown Arlington Ashland"
    ),
    postcode="#####",
    firms=_words(
        "Acme Initech Northwind Contoso Fabrikam Globex Umbra Vandelay Hooli Tailspin Litware Proseware"
    ),
    her_ends={},
)
DE = Locale(
    region="DE",
    country="49",
    trunk="0",
    mobile=_words("151 152 157 160 162 170 171 172 175 176 177 178 179"),
    landline=_words("30 40 69 89 221 211 341 351 511 711"),
    digits=7,
    women=_words(
        "Anna Maria Ursula Monika Petra Sabine Renate Helga Karin Brigitte Ingrid Erika Andrea Gisela "
        "Claudia Susanne Gabriele Christa Birgit Stefanie Julia Katharina Martina Heike Angelika Nicole "
        "Silke Barbara Jutta Käthe Änne Lena Laura Sophie Johanna Franziska Elisabeth Christine Ute Anja"
    ),
    men=_words(
        "Peter Michael Thomas Andreas Wolfgang Klaus Jürgen Günter Stefan Christian Uwe Werner Horst "
        "Frank Dieter Manfred Gerhard Hans Bernd Thorsten Mathias Helmut Walter Heinz Martin Jörg Rolf "
        "Jens Sven Alexander Jan Rainer Holger Karl Tobias Sebastian Lukas Björn Florian Götz"
    ),
    nicknames=_pairs(
        "Ursula=Uschi Monika=Moni Gabriele=Gabi Brigitte=Gitte Stefanie=Steffi Katharina=Kathi "
        "Angelika=Geli Susanne=Susi Elisabeth=Lisbeth Johanna=Hanna Franziska=Franzi Michael=Michi "
        "Thomas=Tom Andreas=Andi Wolfgang=Wolf Klaus=Kläuschen Stefan=Steff Christian=Chris Manfred=Manni "
        "Gerhard=Gerd Hans=Hansi Alexander=Alex Sebastian=Basti Tobias=Tobi Heinz=Heini Martin=Maddin "
        "Florian=Flo"
    ),
    stems=_words(
        "Acker Alt Bau Berg Blum Brei Burg Eich Eis Feld Frei Gold Grün Hart Hof Holz Kalt Kirch König "
        "Lind Müh Neu Ober Reich Rosen Rot Schön Schwarz Stein Tann Vogel Wald Wein Weiß Winkel"
    ),
    ends=_words(
        "auer bach bauer baum beck berg brecht brunn eck feld haus heim hoff horst huber lein ler mann "
        "meier ner thal"
    ),
    streets=_words(
        "Haupt Bahnhof Garten Schul Linden Berg Kirch Wald Ring Wiesen Mühlen Rosen Schiller Goethe Birken"
    ),
    street="{name}straße {number}",
    towns=_words(
        "Berlin Hamburg München Köln Frankfurt Stuttgart Leipzig Dresden Hannover Nürnberg Bremen Münster"
    ),
    postcode="#####",
    firms=(
        "Sommer GmbH",
        "Winter AG",
        "Nordlicht KG",
        "Alpha Bau",
        "Stadtwerke",
        "Rhein Druck",
        "Elbe Logistik",
    ),
    her_ends={},
)
FR = Locale(
    region="FR",
    country="33",
    trunk="0",
    mobile=_words("6 7"),
    landline=_words("1 2 3 4 5"),
    digits=8,
    women=_words(
        "Marie Nathalie Isabelle Sylvie Catherine Françoise Jeanne Monique Christine Valérie Sandrine "
        "Véronique Nicole Stéphanie Sophie Anne Céline Chantal Patricia Aurélie Julie Émilie Hélène "
        "Élodie Camille Léa Manon Chloé Brigitte Laurence Martine Delphine Caroline Virginie Florence "
        "Corinne Béatrice Agnès Claire Lucie"
    ),
    men=_words(
        "Jean Pierre Michel André Philippe Alain Jacques Bernard Marcel Daniel Roger Robert Paul Claude "
        "Christian Henri Georges Nicolas Christophe Stéphane Frédéric Laurent Julien Sébastien David Éric "
        "Olivier Thierry Pascal Patrick François Gérard René Raymond Guillaume Alexandre Antoine Mathieu "
        "Thomas Vincent"
    ),
    nicknames=_pairs(
        "Nathalie=Nath Isabelle=Isa Catherine=Cathy Françoise=Fanfan Véronique=Véro Sandrine=Sandy "
        "Stéphanie=Steph Sophie=Soph Caroline=Caro Delphine=Delph Virginie=Ninie Florence=Flo "
        "Philippe=Phil Jacques=Jacky Bernard=Nanard Nicolas=Nico Christophe=Tof Frédéric=Fred "
        "Sébastien=Seb Guillaume=Guigui Alexandre=Alex Antoine=Tonio Mathieu=Mat Vincent=Vince "
        "Olivier=Olive Patrick=Pat Daniel=Dany"
    ),
    stems=_words(
        "Beau Bel Bois Bon Bour Char Clair Cour Dela Des Du Fon Gar Grand Haut La Lam Le Mal Mar Mer Mon "
        "Mor Neu Per Pon Ri Ro Roux Sau Tour Val Ver Ville"
    ),
    ends=_words(
        "bert champ court dier dieu fort geon gnard lard lier mont net pierre pin rand rier sard teau "
        "tier vert ville"
    ),
    streets=(
        "de la Gare",
        "des Lilas",
        "du Moulin",
        "Victor Hugo",
        "de la Paix",
        "du Stade",
        "des Écoles",
        "Pasteur",
    ),
    street="{number} rue {name}",
    towns=_words(
        "Paris Marseille Lyon Toulouse Nice Nantes Strasbourg Montpellier Bordeaux Lille Rennes Reims Dijon"
    ),
    postcode="#####",
    firms=(
        "Dubois SARL",
        "Lumière SA",
        "Atlantique",
        "Mairie",
        "Boulangerie du Port",
        "Ateliers Réunis",
        "Gaz et Eau",
    ),
    her_ends={},
)
PL = Locale(
    region="PL",
    country="48",
    trunk="",
    mobile=_words("50 51 53 60 66 69 72 78 79 88"),
    landline=_words("12 22 32 42 58 61 71 81 85 91"),
    digits=7,
    women=_words(
        "Anna Maria Katarzyna Małgorzata Agnieszka Barbara Ewa Krystyna Elżbieta Magdalena Joanna Zofia "
        "Teresa Danuta Monika Aleksandra Jadwiga Natalia Karolina Beata Marta Dorota Irena Halina Helena "
        "Iwona Aneta Renata Jolanta Paulina Justyna Urszula Bożena Alicja Wiesława Grażyna Sylwia "
        "Patrycja Izabela Łucja"
    ),
    men=_words(
        "Jan Andrzej Piotr Krzysztof Stanisław Tomasz Paweł Józef Marcin Marek Michał Grzegorz Jerzy "
        "Tadeusz Adam Łukasz Zbigniew Ryszard Dariusz Henryk Mariusz Kazimierz Wojciech Robert Mateusz "
        "Marian Rafał Jacek Janusz Mirosław Maciej Sławomir Jarosław Kamil Wiesław Roman Władysław Jakub "
        "Artur Zdzisław"
    ),
    nicknames=_pairs(
        "Katarzyna=Kasia Małgorzata=Gosia Agnieszka=Aga Barbara=Basia Krystyna=Krysia Elżbieta=Ela "
        "Magdalena=Magda Joanna=Asia Zofia=Zosia Aleksandra=Ola Karolina=Karola Dorota=Dorotka "
        "Urszula=Ula Jan=Jaś Andrzej=Jędrek Piotr=Piotrek Krzysztof=Krzysiek Stanisław=Staszek "
        "Tomasz=Tomek Józef=Józek Grzegorz=Grzesiek Jerzy=Jurek Zbigniew=Zbyszek Wojciech=Wojtek "
        "Jakub=Kuba Maciej=Maciek Jarosław=Jarek Sławomir=Sławek"
    ),
    stems=_words(
        "Adam Bar Biel Bor Brzez Czern Dąb Dom Gaj Głow Gór Grab Jab Jan Jasz Kalin Kam Kow Kraw Król Lew "
        "Lis Maj Mal Mich Now Olsz Pawł Piotr Rutk Sad Sob Szym Tom Wil Woj Zaj Ziel"
    ),
    ends=_words("ski owski iński ecki ewicz owicz czyk ak arz ek ik ka uk niak ski awski"),
    streets=_words(
        "Polna Leśna Słoneczna Krótka Szkolna Ogrodowa Lipowa Brzozowa Łąkowa Kwiatowa Kościelna Sosnowa"
    ),
    street="ul. {name} {number}",
    towns=_words(
        "Warszawa Kraków Łódź Wrocław Poznań Gdańsk Szczecin Bydgoszcz Lublin Białystok Katowice Gdynia"
    ),
    postcode="##-###",
    firms=(
        "Orzeł sp. z o.o.",
        "Bałtyk SA",
        "Poczta",
        "Drukarnia Polna",
        "Wisła Trans",
        "Huta",
        "Urząd Miasta",
    ),
    her_ends={"ski": "ska", "cki": "cka"},
)
RU = Locale(
    region="RU",
    country="7",
    trunk="8",
    mobile=_words("903 905 910 912 915 916 921 925 926 950 961 985"),
    landline=_words("495 499 812 343 383 846 863 843"),
    digits=7,
    women=_words(
        "Анна Мария Елена Ольга Наталья Екатерина Татьяна Ирина Светлана Юлия Людмила Галина Марина "
        "Анастасия Валентина Надежда Любовь Вера Виктория Ксения Дарья Александра Евгения Оксана Полина "
        "Алла Лариса Нина Тамара Зоя Софья Алина Кристина Маргарита Вероника Жанна Инна Яна Лидия Раиса"
    ),
    men=_words(
        "Александр Сергей Владимир Андрей Алексей Дмитрий Николай Иван Михаил Евгений Виктор Юрий Павел "
        "Максим Игорь Олег Анатолий Денис Роман Василий Константин Антон Илья Артём Станислав Вячеслав "
        "Валерий Борис Геннадий Пётр Леонид Григорий Фёдор Виталий Кирилл Никита Егор Степан Тимур Яков"
    ),
    nicknames=_pairs(
        "Мария=Маша Елена=Лена Ольга=Оля Наталья=Наташа Екатерина=Катя Татьяна=Таня Ирина=Ира "
        "Светлана=Света Анастасия=Настя Надежда=Надя Любовь=Люба Виктория=Вика Ксения=Ксюша Дарья=Даша "
        "Евгения=Женя Александр=Саша Сергей=Серёжа Владимир=Вова Алексей=Лёша Дмитрий=Дима Николай=Коля "
        "Иван=Ваня Михаил=Миша Павел=Паша Константин=Костя Василий=Вася Станислав=Стас Геннадий=Гена "
        "Григорий=Гриша Фёдор=Федя"
    ),
    stems=_words(
        "Абрам Андре Бел Бор Вас Волк Воробь Ворон Голуб Горб Гром Давыд Ефрем Жук Зайц Зим Ком Копыл "
        "Круг Кузнец Лебед Мак Медвед Мороз Никон Орл Пав Петр Поляк Рожк Сем Сокол Сорок Тит Щерб Яш"
    ),
    ends=_words("ов ев ин ский ников енков анов инов цов ихин"),
    streets=_words("Ленина Садовая Лесная Мира Гагарина Пушкина Новая Зелёная Южная Речная Школьная Победы"),
    street="ул. {name}, {number}",
    towns=_words("Москва Самара Казань Омск Томск Пермь Уфа Тула Рязань Воронеж Саратов Тюмень Иркутск"),
    postcode="######",
    firms=(
        "ООО Ромашка",
        "Заря",
        "Вектор",
        "Почта",
        "Северсталь",
        "Медцентр",
        "Школа 12",
    ),
    her_ends={"ский": "ская", "ов": "ова", "ев": "ева", "ин": "ина"},
)
LOCALES = (US, DE, FR, PL, RU)
