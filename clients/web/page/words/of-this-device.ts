/** What the user is told when it is the passkey, this browser, the recovery key or an archive. */

import {
  ArchiveDamaged,
  ArchiveError,
  ArchiveLocked,
  RefusedEntry,
  SourceChanged,
  SourceUnfit,
} from "../../src/archive/errors.ts";
import {
  AuthenticatorError,
  CredentialExcluded,
  Declined,
  EnvelopeError,
  MemoryFault,
  NoMatchingCredential,
  BadPasskeyName,
  DeviceError,
  ModeAlready,
  NewestUnopened,
  NoSuchPasskey,
  PrfUnavailable,
  PrfUnstable,
  RecoveryKeyTypo,
  WrongEnvelopeMode,
  WrongPrf,
} from "../../src/index.ts";
import { OtherRecoveryKey } from "../vault.ts";
import { told, type Entry } from "./told.ts";

export const OF_THIS_DEVICE: readonly Entry[] = [
  told(
    PrfUnavailable,
    "This passkey cannot lock backups by itself",
    "It lacks an ability that is called PRF. Nothing was stored. Use another passkey, such as the one built into your phone or computer, or a newer security key.",
  ),
  told(
    PrfUnstable,
    "This passkey does not give the same key twice",
    "A backup locked with it might never open again, so this page does not use it. Turn the protection off and protect your backups with another passkey.",
  ),
  told(
    OtherRecoveryKey,
    "That is another recovery key",
    "There is no mistake in it, but it is not the one that this vault goes by now: perhaps it was replaced, or belongs to another account. It may still open older archives.",
  ),
  told(
    WrongPrf,
    "Your passkey answered, but its key does not fit",
    "The vault accepted it, and no attempt was lost, but it does not open what was locked before. Some phones and browsers give another key than they gave at first: try the device that you began on, another passkey, or your recovery key.",
  ),
  told(
    WrongEnvelopeMode,
    "The vault holds your keys in another way than this device expects",
    "Nothing was used. If you changed that on another device, restore once here and agree to it.",
  ),
  told(
    EnvelopeError,
    "What the vault keeps for you does not open",
    "It is damaged, or was made by a newer version of this page. Your recovery key opens an archive without the vault.",
  ),
  told(
    CredentialExcluded,
    "That device already holds a passkey of this vault",
    "Nothing was changed. Use another phone, computer or security key.",
  ),
  told(
    NoMatchingCredential,
    "No fitting passkey was found here",
    "Use the device that holds it, or your recovery key.",
  ),
  told(
    Declined,
    "Your passkey was not used",
    "The request was cancelled, took too long, or your device did not recognise you. Nothing was changed, and no attempt was used.",
  ),
  told(
    AuthenticatorError,
    "This device or browser could not use a passkey",
    "Nothing was changed, and no attempt was used. Try another browser or device, and see that this page was opened at the product's own address.",
  ),
  told(
    NoSuchPasskey,
    "That passkey is not there any more",
    "Perhaps you removed it on another device. Nothing was changed.",
  ),
  told(
    ModeAlready,
    "Your key is held in that way already",
    "Nothing was changed.",
  ),
  told(
    NewestUnopened,
    "Only an older state of your keys opened",
    "A change that goes by it could lose what is newer, so nothing was changed. Try the passkey that you used last, or your recovery key.",
  ),
  told(BadPasskeyName, "That is no name for a passkey", "Use one line of at most 128 bytes, without blanks at its ends."),
  told(
    MemoryFault,
    "This browser cannot remember your vault",
    "Its storage is full, blocked or damaged. Allow this site to store data, or leave private browsing.",
  ),
  told(
    ArchiveLocked,
    "These keys do not open this archive",
    "It was made for another account, before your vault was started over, or with another recovery key. Nothing was written.",
  ),
  told(
    ArchiveDamaged,
    "This archive is damaged",
    "It was cut short or altered, or it is not an archive of Strongroom. Nothing was written: try another copy of it.",
  ),
  told(
    RefusedEntry,
    "This archive asks for something that no archive may do",
    "It may have been made to harm you. Nothing was written.",
  ),
  told(
    SourceChanged,
    "A file changed while it was read",
    "No archive was made. Close what writes to it and choose the files again.",
  ),
  told(
    SourceUnfit,
    "These files cannot go into one archive",
    "Two of them have the same name, or one has a name that no archive may have. No archive was made.",
  ),
  told(
    ArchiveError,
    "The archive cannot be read or written",
    "Choose the file again, or another copy of it.",
  ),
  told(RecoveryKeyTypo, "There is a mistake in the recovery key", ""),
  told(
    DeviceError,
    "This device cannot do that now",
    "Nothing was changed. Load the page again; if that does not help, use another browser or device.",
  ),
];
