#include "TransportEmulatorPhysics.hh"

#include <algorithm>

#include "G4Alpha.hh"
#include "G4BinaryLightIonReaction.hh"
#include "G4BuilderType.hh"
#include "G4ComponentGGNuclNuclXsc.hh"
#include "G4CrossSectionInelastic.hh"
#include "G4Deuteron.hh"
#include "G4FTFBuilder.hh"
#include "G4GenericIon.hh"
#include "G4HadronInelasticProcess.hh"
#include "G4HadronicInteractionRegistry.hh"
#include "G4HadronicParameters.hh"
#include "G4He3.hh"
#include "G4IonConstructor.hh"
#include "G4PreCompoundModel.hh"
#include "G4ProcessManager.hh"
#include "G4SystemOfUnits.hh"
#include "G4Triton.hh"
#include "TransportEmulatorModel.hh"

namespace {

const double overlap = 10 * MeV;  // within it one model fades into the other, as in Geant4's own lists

G4HadronicInteraction* cascade(G4PreCompoundModel* compound, double lowest, double highest) {
  auto* model = new G4BinaryLightIonReaction(compound);
  model->SetMinEnergy(lowest);
  model->SetMaxEnergy(highest);
  return model;
}

}  // namespace

TransportEmulatorPhysics::TransportEmulatorPhysics(const std::string& directory)
    : G4VPhysicsConstructor("ionTransportEmulator"), directory_(directory) {
  SetPhysicsType(bIons);
}

void TransportEmulatorPhysics::ConstructParticle() { G4IonConstructor().ConstructParticle(); }

// Called in every thread: each has models of its own. Geant4's registry deletes them.
void TransportEmulatorPhysics::ConstructProcess() {
  auto* registry = G4HadronicInteractionRegistry::Instance();
  auto* compound = dynamic_cast<G4PreCompoundModel*>(registry->FindModel("PRECO"));
  if (compound == nullptr) compound = new G4PreCompoundModel;
  const double top = G4HadronicParameters::Instance()->GetMaxEnergy();
  const double strings = G4HadronicParameters::Instance()->GetMaxEnergyTransitionFTF_Cascade();

  G4HadronicInteraction* anything = cascade(compound, 0, strings);
  auto* emulator = new TransportEmulatorModel(directory_, anything);
  // Geant4 refuses a third model at any energy
  const double blend = std::min(overlap, (emulator->GetMaxEnergy() - emulator->GetMinEnergy()) / 2);
  G4HadronicInteraction* below = cascade(compound, 0, emulator->GetMinEnergy() + blend);
  G4HadronicInteraction* above = cascade(compound, emulator->GetMaxEnergy() - blend, strings);
  std::vector<G4HadronicInteraction*> light{anything}, heavy{below, emulator, above};
  if (top > strings) {
    auto* string_model = G4FTFBuilder("FTFP", compound).GetModel();
    string_model->SetMinEnergy(strings - overlap);
    string_model->SetMaxEnergy(top);
    light.push_back(string_model);
    heavy.push_back(string_model);
  }
  auto* cross_section = new G4CrossSectionInelastic(new G4ComponentGGNuclNuclXsc());
  add_process("dInelastic", G4Deuteron::Deuteron(), light, cross_section);
  add_process("tInelastic", G4Triton::Triton(), light, cross_section);
  add_process("He3Inelastic", G4He3::He3(), light, cross_section);
  add_process("alphaInelastic", G4Alpha::Alpha(), heavy, cross_section);
  add_process("ionInelastic", G4GenericIon::GenericIon(), heavy, cross_section);
}

void TransportEmulatorPhysics::add_process(const std::string& name, G4ParticleDefinition* particle,
                                           const std::vector<G4HadronicInteraction*>& models,
                                           G4VCrossSectionDataSet* cross_section) const {
  auto* process = new G4HadronInelasticProcess(name, particle);
  particle->GetProcessManager()->AddDiscreteProcess(process);
  process->AddDataSet(cross_section);
  for (auto* model : models) process->RegisterMe(model);
}
