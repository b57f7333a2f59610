"""The same short questions in four languages, each with its right answer and a wrong one of the same form."""

from __future__ import annotations

from typing import NamedTuple

LANGUAGES = ("English", "German", "Spanish", "French")

# A paragraph a question, in the order of the languages: question | right answer | wrong answer.
_TEXT = """
What is the capital of Italy? | The capital of Italy is Rome. | The capital of Italy is Oslo.
Was ist die Hauptstadt von Italien? | Die Hauptstadt von Italien ist Rom. | Die Hauptstadt von Italien ist Oslo.
¿Cuál es la capital de Italia? | La capital de Italia es Roma. | La capital de Italia es Oslo.
Quelle est la capitale de l'Italie ? | La capitale de l'Italie est Rome. | La capitale de l'Italie est Oslo.

How many days are there in a week? | A week has seven days. | A week has nine days.
Wie viele Tage hat eine Woche? | Eine Woche hat sieben Tage. | Eine Woche hat neun Tage.
¿Cuántos días tiene una semana? | Una semana tiene siete días. | Una semana tiene nueve días.
Combien de jours y a-t-il dans une semaine ? | Une semaine a sept jours. | Une semaine a neuf jours.

What colour is snow? | Snow is white. | Snow is green.
Welche Farbe hat Schnee? | Schnee ist weiß. | Schnee ist grün.
¿De qué color es la nieve? | La nieve es blanca. | La nieve es verde.
De quelle couleur est la neige ? | La neige est blanche. | La neige est verte.

Which animal gives us wool? | Wool comes from sheep. | Wool comes from fish.
Welches Tier gibt uns Wolle? | Wolle kommt von Schafen. | Wolle kommt von Fischen.
¿Qué animal nos da lana? | La lana viene de las ovejas. | La lana viene de los peces.
Quel animal nous donne la laine ? | La laine vient des moutons. | La laine vient des poissons.

What do bees make? | Bees make honey. | Bees make bread.
Was machen Bienen? | Bienen machen Honig. | Bienen machen Brot.
¿Qué hacen las abejas? | Las abejas hacen miel. | Las abejas hacen pan.
Que font les abeilles ? | Les abeilles font du miel. | Les abeilles font du pain.

How many legs does a spider have? | A spider has eight legs. | A spider has five legs.
Wie viele Beine hat eine Spinne? | Eine Spinne hat acht Beine. | Eine Spinne hat fünf Beine.
¿Cuántas patas tiene una araña? | Una araña tiene ocho patas. | Una araña tiene cinco patas.
Combien de pattes a une araignée ? | Une araignée a huit pattes. | Une araignée a cinq pattes.

At what temperature does water freeze? | Water freezes at 0 °C. | Water freezes at 40 °C.
Bei welcher Temperatur gefriert Wasser? | Wasser gefriert bei 0 °C. | Wasser gefriert bei 40 °C.
¿A qué temperatura se congela el agua? | El agua se congela a 0 °C. | El agua se congela a 40 °C.
À quelle température l'eau gèle-t-elle ? | L'eau gèle à 0 °C. | L'eau gèle à 40 °C.

Which planet do we live on? | We live on Earth. | We live on Mars.
Auf welchem Planeten leben wir? | Wir leben auf der Erde. | Wir leben auf dem Mars.
¿En qué planeta vivimos? | Vivimos en la Tierra. | Vivimos en Marte.
Sur quelle planète vivons-nous ? | Nous vivons sur la Terre. | Nous vivons sur Mars.

What is bread made of? | Bread is made of flour. | Bread is made of sand.
Woraus wird Brot gemacht? | Brot wird aus Mehl gemacht. | Brot wird aus Sand gemacht.
¿De qué se hace el pan? | El pan se hace con harina. | El pan se hace con arena.
Avec quoi fait-on le pain ? | On fait le pain avec de la farine. | On fait le pain avec du sable.

Which month comes after May? | June comes after May. | March comes after May.
Welcher Monat kommt nach dem Mai? | Nach dem Mai kommt der Juni. | Nach dem Mai kommt der März.
¿Qué mes viene después de mayo? | Después de mayo viene junio. | Después de mayo viene marzo.
Quel mois vient après mai ? | Après mai vient juin. | Après mai vient mars.

Where does the sun rise? | The sun rises in the east. | The sun rises in the west.
Wo geht die Sonne auf? | Die Sonne geht im Osten auf. | Die Sonne geht im Westen auf.
¿Por dónde sale el sol? | El sol sale por el este. | El sol sale por el oeste.
Où le soleil se lève-t-il ? | Le soleil se lève à l'est. | Le soleil se lève à l'ouest.

What do cows eat? | Cows eat grass. | Cows eat stones.
Was fressen Kühe? | Kühe fressen Gras. | Kühe fressen Steine.
¿Qué comen las vacas? | Las vacas comen hierba. | Las vacas comen piedras.
Que mangent les vaches ? | Les vaches mangent de l'herbe. | Les vaches mangent des pierres.

How many minutes are there in an hour? | An hour has 60 minutes. | An hour has 25 minutes.
Wie viele Minuten hat eine Stunde? | Eine Stunde hat 60 Minuten. | Eine Stunde hat 25 Minuten.
¿Cuántos minutos tiene una hora? | Una hora tiene 60 minutos. | Una hora tiene 25 minutos.
Combien de minutes y a-t-il dans une heure ? | Une heure a 60 minutes. | Une heure a 25 minutes.

Which river flows through Paris? | The Seine flows through Paris. | The Nile flows through Paris.
Welcher Fluss fließt durch Paris? | Die Seine fließt durch Paris. | Der Nil fließt durch Paris.
¿Qué río pasa por París? | El Sena pasa por París. | El Nilo pasa por París.
Quel fleuve traverse Paris ? | La Seine traverse Paris. | Le Nil traverse Paris.

What do we use to write on a blackboard? | We use chalk. | We use butter.
Womit schreibt man an eine Tafel? | Man nimmt Kreide. | Man nimmt Butter.
¿Con qué se escribe en una pizarra? | Se usa tiza. | Se usa leche.
Avec quoi écrit-on au tableau ? | On utilise de la craie. | On utilise du beurre.

What is the opposite of hot? | The opposite of hot is cold. | The opposite of hot is loud.
Was ist das Gegenteil von heiß? | Das Gegenteil von heiß ist kalt. | Das Gegenteil von heiß ist laut.
¿Qué es lo contrario de caliente? | Lo contrario de caliente es frío. | Lo contrario de caliente es ruidoso.
Quel est le contraire de chaud ? | Le contraire de chaud est froid. | Le contraire de chaud est bruyant.

Who repairs teeth? | A dentist repairs teeth. | A baker repairs teeth.
Wer repariert Zähne? | Ein Zahnarzt repariert Zähne. | Ein Bäcker repariert Zähne.
¿Quién arregla los dientes? | Un dentista arregla los dientes. | Un panadero arregla los dientes.
Qui soigne les dents ? | Un dentiste soigne les dents. | Un boulanger soigne les dents.

How much is three plus four? | Three plus four is seven. | Three plus four is nine.
Wie viel ist drei plus vier? | Drei plus vier ist sieben. | Drei plus vier ist neun.
¿Cuánto es tres más cuatro? | Tres más cuatro son siete. | Tres más cuatro son nueve.
Combien font trois plus quatre ? | Trois plus quatre font sept. | Trois plus quatre font neuf.

In which season do leaves fall? | Leaves fall in autumn. | Leaves fall in spring.
In welcher Jahreszeit fallen die Blätter? | Die Blätter fallen im Herbst. | Die Blätter fallen im Frühling.
¿En qué estación caen las hojas? | Las hojas caen en otoño. | Las hojas caen en primavera.
En quelle saison les feuilles tombent-elles ? | Les feuilles tombent en automne. | Les feuilles tombent au printemps.

What do you need to open a lock? | You need a key. | You need a spoon.
Was braucht man, um ein Schloss zu öffnen? | Man braucht einen Schlüssel. | Man braucht einen Löffel.
¿Qué se necesita para abrir una cerradura? | Se necesita una llave. | Se necesita una cuchara.
Que faut-il pour ouvrir une serrure ? | Il faut une clé. | Il faut une cuillère.

Which animal barks? | Dogs bark. | Cats bark.
Welches Tier bellt? | Hunde bellen. | Katzen bellen.
¿Qué animal ladra? | Los perros ladran. | Los gatos ladran.
Quel animal aboie ? | Les chiens aboient. | Les chats aboient.

What is a young sheep called? | A young sheep is called a lamb. | A young sheep is called a calf.
Wie heißt ein junges Schaf? | Ein junges Schaf heißt Lamm. | Ein junges Schaf heißt Kalb.
¿Cómo se llama la cría de la oveja? | La cría de la oveja se llama cordero. | La cría de la oveja se llama ternero.
Comment s'appelle le petit du mouton ? | Le petit du mouton s'appelle l'agneau. | Le petit du mouton s'appelle le veau.
"""


class Exchange(NamedTuple):
    """A question, its right answer and a wrong one."""

    question: str
    right: str
    wrong: str


def _paragraph(text: str) -> tuple[Exchange, ...]:
    return tuple(Exchange(*line.split(" | ")) for line in text.splitlines())


PARALLEL: tuple[tuple[Exchange, ...], ...] = tuple(_paragraph(text) for text in _TEXT.strip().split("\n\n"))
"""One question a row, in the order of `LANGUAGES`."""
