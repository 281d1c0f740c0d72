-- Patients that are referenced in a run that began in an empty store, as often as they come; `patient_reference` has each once when the run ends.
CREATE TABLE patient_reference_early(
  source_system TEXT NOT NULL,
  patient TEXT NOT NULL
);
